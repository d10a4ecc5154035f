/*
 * fuzz.h: what the fuzzers share: how they say that something does not hold, and channels that are hard to please.
 */
#ifndef TESTS_FUZZ_SUPPORT_FUZZ_H
#define TESTS_FUZZ_SUPPORT_FUZZ_H

#include "visitors/chan.h"

/* The entry points of libFuzzer that the fuzzers define or call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t most, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len, uint8_t *out,
                                 size_t most, unsigned seed);

/* What must hold, does not: says so and aborts, which libFuzzer takes for a finding. */
void fuzz_broken(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;
#define fuzz_check(holds, ...)                                                                                         \
    do {                                                                                                               \
        if (!(holds))                                                                                                  \
            fuzz_broken(__VA_ARGS__);                                                                                  \
    } while (0)

/* "no error", or the message. */
const char *fuzz_message(const GError *error);

/* A number that the input decides: for choices between ways to do the same. */
unsigned fuzz_choice(const uint8_t *data, size_t len);

/* All octets must be there, as AddressSanitizer sees it. */
void fuzz_touch(const void *data, size_t len);

/* The octets as a channel: with `choice` odd one that can seek, otherwise one that hands out a few at a time. */
Chan *fuzz_chan(const uint8_t *data, size_t len, unsigned choice);

/* The octets as input, in memory or from such a channel. */
ChanIn *fuzz_in(const uint8_t *data, size_t len, unsigned choice);

/* A channel to write to that reads what it is given, and forgets it. */
Chan *fuzz_chan_nowhere(void);

#endif
