/*
 * fuzz-berstream.c: whole BER streams. Changes are made to elements, and mostly the checks are made right after, so
 * that what stands behind them is reached. What reads must come back from another BER stream the same.
 */
#include "tests/fuzz/support/ber-tree.h"
#include "tests/fuzz/support/convert.h"
#include "tests/fuzz/support/fuzz.h"
#include "vmstate/berstream-load.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t most, unsigned seed)
{
    return ber_tree_mutate_bytes(data, len, most, seed, true);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len, uint8_t *out,
                                 size_t most, unsigned seed)
{
    return ber_tree_cross(a, a_len, b, b_len, out, most, seed, true);
}

/* What our writer made of a stream that read must read, and make the same again. */
static void write_again(const uint8_t *data, size_t len, unsigned choice)
{
    ByteOut once = {0}, twice = {0};

    /* packed or not, but both times the same */
    FuzzResult first = fuzz_to_ber(data, len, fuzz_load_ber, NULL, choice, &once);
    if (first != FUZZ_REFUSED && once.len) {
        fuzz_read(once.data, once.len, fuzz_load_ber, NULL, choice >> 4);
        FuzzResult second = fuzz_to_ber(once.data, once.len, fuzz_load_ber, NULL, choice, &twice);
        /* cut behind the End record, it is whole in what is written */
        fuzz_check(second == first || (second == FUZZ_WHOLE && first == FUZZ_CUT), "to BER it was %d, to BER again %d",
                   first, second);
        fuzz_check(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0,
                   "a BER stream of %zu octets makes one of %zu", once.len, twice.len);
    }
    byte_out_done(&once);
    byte_out_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    unsigned choice = fuzz_choice(data, len);
    g_autoptr(ChanIn) in = fuzz_in(data, len, choice);
    ByteOut out = {0};

    berstream_probe(data, len);
    g_autoptr(Schema) schema = berstream_load_schema(in, NULL);
    if (!schema)
        fuzz_touch(data, len);
    if (fuzz_read(data, len, fuzz_load_ber, NULL, choice >> 6)) {
        fuzz_to_qemufile(data, len, fuzz_load_ber, NULL, choice >> 12, &out);
        write_again(data, len, choice >> 18);
    }
    byte_out_done(&out);
    return 0;
}
