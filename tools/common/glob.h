/* glob.h: patterns of names. */
#ifndef TOOLS_COMMON_GLOB_H
#define TOOLS_COMMON_GLOB_H

#include <stdbool.h>

/*
 * Does the glob fit all of the text? * stands for any characters, ? for one. Takes at most as many steps as the product
 * of both lengths, whatever the glob: names come from streams.
 */
bool glob_fits(const char *glob, const char *text);

#endif
