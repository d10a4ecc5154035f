/* qapi-impl.h: what the files about QMP's types share. Only included in vmstate/. */
#ifndef VMSTATE_QAPI_IMPL_H
#define VMSTATE_QAPI_IMPL_H

#include "visitors/visitor.h"
#include "vmstate/qapi.h"

/* Is a value of it a pointer to what it is? */
static inline bool qapi_is_object(const QapiType *type)
{
    return type->kind == QAPI_STRUCT || type->kind == QAPI_UNION || type->kind == QAPI_ALTERNATE;
}

/* Octets of a member of that type. */
size_t qapi_place_size(const QapiType *type);

/* The struct that follows a union's common members; NULL: none. */
const QapiType *qapi_variant(const QapiType *type, const void *object);

/* Can a value of that kind be one of the type? `text`: the string. */
bool qapi_takes(const QapiType *type, VisitKind kind, const char *text);

#endif
