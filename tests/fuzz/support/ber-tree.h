/*
 * ber-tree.h: BER elements as a tree that can be changed at random and written again, with all lengths right, and for
 * a stream all checks. Bytes that are changed blindly never get past either.
 */
#ifndef TESTS_FUZZ_SUPPORT_BER_TREE_H
#define TESTS_FUZZ_SUPPORT_BER_TREE_H

#include "visitors/ber.h"

typedef struct BerTree BerTree;

/* What cannot be read as elements is kept as it is. */
BerTree *ber_tree_parse(const uint8_t *data, size_t len);
void ber_tree_free(BerTree *tree);

/* Makes one to three random changes; `spare` gives elements to put in, and may be the tree itself. */
void ber_tree_mutate(BerTree *tree, const BerTree *spare, GRand *rand);

void ber_tree_write(const BerTree *tree, ByteOut *out);

/* Makes every record's check right, and the End record's count and digest (vmstate/FORMAT.md section 2.1). */
void ber_tree_repair(BerTree *tree);

/*
 * A custom mutator: changes data (len octets, room for `most`) as a tree, or, at times, as bytes. repair: as a stream,
 * mostly repaired. Returns the new length.
 */
size_t ber_tree_mutate_bytes(uint8_t *data, size_t len, size_t most, unsigned seed, bool repair);

/* A custom crossover: `a` with pieces of `b`. */
size_t ber_tree_cross(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len, uint8_t *out, size_t most,
                      unsigned seed, bool repair);

#endif
