/*
 * xxh3.h: XXH3 of libxxhash. Where the library can choose (x86), with the vector instructions that the processor has,
 * which is three times as fast; the values are the same.
 */
#ifndef VISITORS_XXH3_H
#define VISITORS_XXH3_H

#ifdef FERRY_XXH_DISPATCH
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

#endif
