/* dump.h: the parts of vmstate-dump. Each is a sink; each writes to its `out`, borrowed. */
#ifndef TOOLS_VMSTATE_DUMP_DUMP_H
#define TOOLS_VMSTATE_DUMP_DUMP_H

#include "tools/common/input.h"
#include "visitors/chan.h"
#include "vmstate/stream.h"

/* What the user wants to see. */
typedef struct DumpWish {
    const char *path;
    const char *section; /* glob, NULL: all */
    bool colour;
    const Input *input; /* what is read, for what the stream itself does not say */
    bool fitted;        /* the glob has fitted something; set by dump_wants */
} DumpWish;

/* Does the glob fit the section (stream_section_fits)? */
bool dump_wants(DumpWish *wish, const char *name, uint32_t instance);

StreamSink *pretty_new(ChanOut *out, DumpWish *wish);
void pretty_free(StreamSink *sink);

StreamSink *json_dump_new(ChanOut *out, DumpWish *wish);
void json_dump_free(StreamSink *sink);

StreamSink *summary_new(ChanOut *out, DumpWish *wish);
void summary_free(StreamSink *sink);

StreamSink *schema_dump_new(ChanOut *out, DumpWish *wish, bool json);
void schema_dump_free(StreamSink *sink);

/* --- counting, for all of them ---------------------------------------------------------------------------------- */

typedef struct BlockCount {
    char *name;
    uint64_t length;
    uint64_t zero, normal, zlib, xbzrle, fill; /* pages as they came; one that came twice counts twice */
} BlockCount;

typedef struct RamCount {
    GArray *blocks; /* of BlockCount */
    uint64_t records;
} RamCount;

void ram_count_init(RamCount *count);
void ram_count_done(RamCount *count);
void ram_count_blocks(RamCount *count, const RamBlocks *blocks, size_t first);
void ram_count_run(RamCount *count, const RamRun *run);
void ram_count_piece(RamCount *count, const RamPiece *piece);
BlockCount *ram_count_block(const RamCount *count, size_t i);

/* "QEMU migration stream, version 3", ... New string. */
char *dump_format(const StreamHeader *header);

/* What a command says, in words. New string. */
char *dump_command(const StreamCommand *command);
char *dump_message(const StreamMessage *message);

/* Loads what there is of a cut section through its partial visitor, showing it to `witness`. */
void dump_partial(const StreamSection *section, Visitor *witness);

#endif
