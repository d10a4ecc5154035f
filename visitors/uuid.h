/*
 * uuid.h: UUIDs as 16 octets, highest first, and as text: xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx (RFC 4122, section 3).
 */
#ifndef VISITORS_UUID_H
#define VISITORS_UUID_H

#include <stdbool.h>
#include <stdint.h>

enum { UUID_OCTETS = 16, UUID_TEXT = 37 };

/* Fills `text` with the text form, in lower case, and a zero. */
void uuid_text(const uint8_t uuid[UUID_OCTETS], char text[UUID_TEXT]);

/* False, and `uuid` untouched: the text, in whatever case, is none. */
bool uuid_parse(const char *text, uint8_t uuid[UUID_OCTETS]);

/* All octets zero: what stands for "none". */
bool uuid_is_null(const uint8_t uuid[UUID_OCTETS]);

/* A new one (version 4). */
void uuid_random(uint8_t uuid[UUID_OCTETS]);

#endif
