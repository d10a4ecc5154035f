/* unwritten.c: in the place of a handler that nobody has written yet: it fails. The Makefile links it there. */
#include "emu/qmp/unwritten.h"

bool qmp_unwritten(void)
{
    return false;
}
