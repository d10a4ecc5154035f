/*
 * stream-scan.h: finds the end of a section that nobody described (vmstate/FORMAT.md section 1.1).
 */
#ifndef VMSTATE_STREAM_SCAN_H
#define VMSTATE_STREAM_SCAN_H

#include "visitors/chan.h"

enum { STREAM_SCAN_MAX = 16 << 20 };

/* What the reader knows at this place. */
typedef struct StreamScan {
    uint32_t id; /* of the section */
    bool footers;
    bool (*is_live)(const void *data, uint32_t id); /* has a live section of that id been started? */
    const void *data;
} StreamScan;

/*
 * The input stands, pinned, at the start of a body. Finds how many octets it has and returns true; consumes nothing.
 * False if no end is found within the limit or before the input ends.
 */
bool stream_scan_body(ChanIn *in, const StreamScan *scan, size_t *len);

/* Could an element start with these octets? More than one has is enough: head, name, numbers. */
bool stream_scan_element(const StreamScan *scan, const uint8_t *p, size_t avail, bool at_end);

#endif
