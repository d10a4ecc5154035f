/* transport-impl.h: what the transports share. */
#ifndef TOOLS_LIBQMP_TRANSPORT_IMPL_H
#define TOOLS_LIBQMP_TRANSPORT_IMPL_H

#include "tools/libqmp/libqmp.h"

/* transport-libvirt.c: by name, UUID or id, over the connection that LIBVIRT_DEFAULT_URI names. */
QmpSession *transport_libvirt_open(const char *domain, const LibqmpSessionOptions *options, GError **error);

#endif
