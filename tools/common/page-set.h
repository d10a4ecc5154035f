/*
 * page-set.h: a set of page numbers.
 *
 * Takes room where there are members, however far they are from each other: where they are comes from streams.
 */
#ifndef TOOLS_COMMON_PAGE_SET_H
#define TOOLS_COMMON_PAGE_SET_H

#include <stdbool.h>
#include <stdint.h>

typedef struct PageSet PageSet;

PageSet *page_set_new(void);
void page_set_free(PageSet *set);

/* Adds `count` pages; some may be there already. */
void page_set_add(PageSet *set, uint64_t first, uint64_t count);

/* Takes out the first members from `first` on that follow each other, or some of them: *n of them, from *page on. False
 * if there is none below `end`. */
bool page_set_take(PageSet *set, uint64_t first, uint64_t end, uint64_t *page, uint64_t *n);

/* How many members there are. */
uint64_t page_set_count(const PageSet *set);

/* The first page from `page` on that is none. */
uint64_t page_set_first_missing(const PageSet *set, uint64_t page);

#endif
