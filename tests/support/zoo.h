/*
 * zoo.h: a struct with every kind of field there is, its description, and random states of any description.
 */
#ifndef TESTS_SUPPORT_ZOO_H
#define TESTS_SUPPORT_ZOO_H

#include "vmstate/desc.h"

typedef struct ZooCage {
    uint16_t number;
    int8_t mood[3];
    bool open;
} ZooCage;

typedef struct ZooBase {
    uint32_t id;
    uint8_t config[16];
} ZooBase;

typedef struct Zoo {
    ZooBase base;
    bool flag;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    double f64;
    uint8_t bytes[7];
    uint8_t u8s[5];
    uint16_t u16s[4];
    int32_t i32s[3];
    uint64_t u64s[2];
    bool flags[4];
    double f64s[2];
    uint64_t bits[2]; /* 70 of them */
    char *text;
    uint32_t used;
    uint32_t fifo[8]; /* `used` in use */
    uint8_t heap_count;
    uint16_t *heap; /* heap_count */
    ZooCage cage;
    ZooCage cages[3];
    uint8_t cages_used;
    ZooCage counted[4];
    uint32_t extra; /* only if flag */
    uint32_t late;  /* since version 3 */
    bool has_moat, has_tower;
    uint32_t moat_depth;
    uint16_t tower[2];
    bool has_flag_on_tower;
    uint8_t flag_colour;
} Zoo;

extern const VMStateDescription zoo_state;

/* Fills a zeroed struct with random values that the description can say: counters in range, strings of text. */
void zoo_fill(const VMStateDescription *desc, void *state, GRand *rand);

#endif
