/*
 * model.h: all of a stream but its RAM, in memory, for programs that look at two of them.
 */
#ifndef TOOLS_COMMON_MODEL_H
#define TOOLS_COMMON_MODEL_H

#include "tools/common/input.h"
#include "vmstate/stream.h"
#include "vmstate/verdict.h"

typedef struct ModelSection {
    char *name;
    uint32_t instance;
    char *key; /* what tells it from the others: name, instance, and how many have come before that have both */
    int version;
    const VMStateDescription *desc; /* NULL: not described */
    void *state;
    uint8_t *octets; /* without a description */
    size_t len;
    uint64_t offset;
} ModelSection;

typedef struct Model {
    StreamSink sink;
    char *path;
    char *format; /* in words */
    char *machine, *writer;
    bool has_uuid;
    uint8_t uuid[16];
    bool shared; /* capability x-ignore-shared */
    Schema *schema;
    GPtrArray *sections; /* of ModelSection */
    GHashTable *by_key;  /* key -> one of them */
    GHashTable *counts;  /* "instance/name" -> how many */
    RamBlocks blocks;
} Model;

/* Reads a stream (snapshot: as in input_open); other sinks may listen (NULL: none). borrowed: as in StreamSource. */
Model *model_load(const char *path, const char *snapshot, const Schema *borrowed, StreamSink *also, GError **error);
void model_free(Model *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Model, model_free)

/*
 * Does the glob (* and ? only) fit the section: as "name[instance]", as the name, or as what comes behind the last
 * slash of it?
 */
bool stream_section_fits(const char *glob, const char *name, uint32_t instance);

const ModelSection *model_find(const Model *model, const ModelSection *like);

/* The same as a side of a verdict; `sections` gets the array that it needs, to be freed by the caller. */
VerdictSide model_side(const Model *model, VerdictSection **sections);

#endif
