/* error.c: the one error domain. */
#include "visitors/error.h"

GQuark ferry_error_quark(void)
{
    return g_quark_from_static_string("ferry-error");
}
