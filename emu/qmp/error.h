/*
 * error.h: errors that QMP's clients can tell apart.
 *
 * A handler that wants its client to see a class sets an error of this domain; all others are "GenericError". The
 * message is what the client gets as "desc".
 */
#ifndef EMU_QMP_ERROR_H
#define EMU_QMP_ERROR_H

#include <stdbool.h>

#include "visitors/error.h"

#define QMP_ERROR (qmp_error_quark())

typedef enum QmpError {
    QMP_ERROR_GENERIC,
    QMP_ERROR_COMMAND_NOT_FOUND,
    QMP_ERROR_DEVICE_NOT_ACTIVE,
    QMP_ERROR_DEVICE_NOT_FOUND,
    QMP_ERROR_KVM_MISSING_CAP,
} QmpError;

GQuark qmp_error_quark(void);

/* Sets an error of that class. Always false. */
bool qmp_refuse(GError **error, QmpError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* "DeviceNotFound" */
const char *qmp_error_class(const GError *error);

#endif
