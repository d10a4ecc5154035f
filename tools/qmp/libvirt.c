/* libvirt.c: what libvirt wants of a program: an event loop, or no events come; and to be told not to print. */
#include "tools/qmp/qmp.h"

#ifdef LIBQMP_LIBVIRT

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

static void be_quiet(void *data, virErrorPtr error)
{
    (void)data;
    (void)error;
}

static void *run(void *data)
{
    (void)data;
    while (virEventRunDefaultImpl() == 0)
        ;
    return NULL;
}

void qmp_start_libvirt(void)
{
    virSetErrorFunc(NULL, be_quiet);
    if (virEventRegisterDefaultImpl() == 0)
        g_thread_unref(g_thread_new("libvirt", run, NULL));
}

#else

void qmp_start_libvirt(void)
{
}

#endif
