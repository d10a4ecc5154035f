/*
 * fuzz-multifd-load.c: the multifd channels of a source that means no good, read by their threads while a main channel
 * goes through its passes.
 *
 * The first octet of an input has the method (0 to 2) and, times three, how many channels are to come, 0 to 2; the next
 * two the length of what the first of two connections says; what the second says is the rest.
 */
#include "tests/fuzz/support/fuzz.h"
#include "vmstate/multifd-load.h"

enum { CONNECTIONS = 2, PASSES = 4, BLOCKS = 2, PAGES = 96, PATIENCE_MS = 20 };

/* The blocks are of their own size, so that a page beyond one is noticed. */
typedef struct Memory {
    uint8_t *blocks[BLOCKS];
    int failures;
} Memory;

static int find_block(void *opaque, const char *name)
{
    (void)opaque;
    return g_str_has_prefix(name, "pc.ram") ? 0 : *name == '0' || *name == '/' ? 1 : -1;
}

static uint8_t *find_pages(void *opaque, int block, uint64_t first, uint32_t count)
{
    fuzz_check(block >= 0 && block < BLOCKS, "block %d", block);
    fuzz_check(count > 0 && count <= STREAM_PACKET_PAGES, "%u pages", count);
    return first < PAGES && count <= PAGES - first ? ((Memory *)opaque)->blocks[block] + first * RAM_PAGE : NULL;
}

static void failed(void *opaque)
{
    g_atomic_int_inc(&((Memory *)opaque)->failures);
}

static void run(MultifdLoad *load, const Memory *memory)
{
    for (int i = 0; i < PASSES; i++) {
        g_autoptr(GError) error = NULL, why = NULL;
        if (multifd_load_pass(load, &error)) {
            fuzz_check(!error, "it went well, with an error: %s", fuzz_message(error));
            continue;
        }
        fuzz_check(error && *error->message, "it failed, and nobody knows why");
        g_set_error(&why, FERRY_ERROR, FERRY_ERROR_CUT, "%s", error->message);
        multifd_load_explain(load, &why);
        fuzz_check(why, "the reason is gone");
        break;
    }
    fuzz_check(g_atomic_int_get(&memory->failures) <= 1, "it failed %d times", memory->failures);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    Memory memory = {.failures = 0};

    if (len < 3)
        return 0;
    const MultifdLoadOptions options = {.channels = data[0] / 3 % (CONNECTIONS + 1),
                                        .method = (MultifdMethod)(data[0] % 3),
                                        .patience_ms = PATIENCE_MS,
                                        .place = {find_block, find_pages, &memory},
                                        .failed = failed,
                                        .opaque = &memory};
    size_t first = MIN(load_be16(data + 1), len - 3);
    for (int i = 0; i < BLOCKS; i++)
        memory.blocks[i] = g_malloc0(PAGES * RAM_PAGE);
    MultifdLoad *load = multifd_load_new(&options);
    multifd_load_add(load, fuzz_chan(data + 3, first, data[0] >> 4 & 1));
    multifd_load_add(load, fuzz_chan(data + 3 + first, len - 3 - first, 1));
    run(load, &memory);
    multifd_load_free(load);
    for (int i = 0; i < BLOCKS; i++) {
        fuzz_touch(memory.blocks[i], PAGES * RAM_PAGE);
        g_free(memory.blocks[i]);
    }
    return 0;
}
