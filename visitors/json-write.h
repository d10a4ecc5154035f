/*
 * json-write.h: writes JSON text as it goes, of any length, with integers of 64 bits exactly.
 *
 * (A library's tree of values would hold a whole dump in memory, and jansson has no integers above 2^63.)
 * Members are written in the order of the calls; `key` is NULL inside an array.
 */
#ifndef VISITORS_JSON_WRITE_H
#define VISITORS_JSON_WRITE_H

#include "visitors/chan.h"

typedef struct JsonWrite JsonWrite;

/* Writes to `out`, borrowed. Members of objects go on lines of their own down to `lines` levels deep. */
JsonWrite *json_write_new(ChanOut *out, unsigned lines);
void json_write_free(JsonWrite *json);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JsonWrite, json_write_free)

/* How many objects and arrays are open; closes them until only so many are. */
unsigned json_write_depth(const JsonWrite *json);
void json_write_close_to(JsonWrite *json, unsigned depth);

void json_write_object_start(JsonWrite *json, const char *key);
void json_write_object_end(JsonWrite *json);
void json_write_array_start(JsonWrite *json, const char *key);
void json_write_array_end(JsonWrite *json);
void json_write_string(JsonWrite *json, const char *key, const char *text);
void json_write_uint(JsonWrite *json, const char *key, uint64_t value);
void json_write_int(JsonWrite *json, const char *key, int64_t value);
void json_write_bool(JsonWrite *json, const char *key, bool value);
void json_write_null(JsonWrite *json, const char *key);
/* A number in JSON's own spelling. */
void json_write_number(JsonWrite *json, const char *key, const char *spelling);
/* Octets as a string of hexadecimal digits. */
void json_write_hex(JsonWrite *json, const char *key, const void *data, size_t len);

struct json_t;

/* A tree of values, borrowed; NULL is null. */
void json_write_tree(JsonWrite *json, const char *key, const struct json_t *tree);

#endif
