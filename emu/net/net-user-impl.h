/* net-user-impl.h: what the parts of the backend "user" know of each other. Only for this folder. */
#ifndef EMU_NET_NET_USER_IMPL_H
#define EMU_NET_NET_USER_IMPL_H

#include <netinet/in.h>
#include <slirp/libslirp.h>

#include "emu/core/device.h"
#include "emu/net/net-impl.h"

typedef struct UserSource UserSource;

typedef struct User {
    NetPort port;
    Slirp *slirp;
    UserSource *source;
    GPtrArray *timers; /* of Timer; libslirp's */
    Device *device;    /* with the section; the machine's; NULL: the machine has gone */
} User;

/* The machine goes: nothing of it is touched any more. */
void user_detach(User *u);

/* net-user-state.c */
bool user_device_add(User *u, GError **error);
void user_device_remove(User *u);

/* net-user-options.c: what libslirp is told. It borrows the options' text. */
typedef struct UserPlan {
    SlirpConfig config;
} UserPlan;

bool user_plan(const NetHome *home, const NetUser *options, UserPlan *plan, GError **error);
bool user_add_forwards(User *u, const NetUser *options, const UserPlan *plan, GError **error);
bool user_add_services(User *u, const NetUser *options, const UserPlan *plan, GError **error);

#endif
