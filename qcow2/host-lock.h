/*
 * host-lock.h: who may do what with an image file at the same time.
 *
 * The octets are those of QEMU 7.2 (as /proc/locks shows them while it runs): octet 100 + n of the file is locked by
 * who does something and 200 + n by who wants nobody else to. All are shared locks, which only say so; who opens the
 * file says it, and then looks whether anybody contradicts. They belong to the open file description: they go when it
 * does.
 */
#ifndef QCOW2_HOST_LOCK_H
#define QCOW2_HOST_LOCK_H

#include <glib.h>
#include <stdbool.h>

typedef enum HostLock {
    HOST_LOCK_READ = 1 << 0, /* what is consistent */
    HOST_LOCK_WRITE = 1 << 1,
    HOST_LOCK_RESIZE = 1 << 3,
} HostLock;

/*
 * Sets of HostLock. FERRY_ERROR_REFUSED: somebody contradicts; nothing is held then. `path` is for the message. A file
 * system without locks is no reason to refuse.
 */
bool host_lock_take(int fd, unsigned does, unsigned forbids, const char *path, GError **error);

void host_lock_drop(int fd);

#endif
