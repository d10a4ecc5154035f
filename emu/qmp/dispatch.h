/* dispatch.h: from a request to its answer: which command it is, may it be asked now, what does it get and give. */
#ifndef EMU_QMP_DISPATCH_H
#define EMU_QMP_DISPATCH_H

#include "emu/qmp/call.h"
#include "emu/qmp/frame.h"
#include "emu/qmp/text.h"
#include "vmstate/qapi.h"

typedef struct QmpTable {
    const QapiCommand *commands; /* in the order of their names */
    size_t count;
} QmpTable;

/* What holds now. */
typedef enum QmpRules {
    QMP_NEGOTIATES = 1 << 0, /* "qmp_capabilities" is the only command */
    QMP_HAS_OOB = 1 << 1,    /* "exec-oob" is known */
    QMP_PRECONFIG = 1 << 2,  /* there is no machine yet */
} QmpRules;

/* Room for a value of any type, as a member of a struct has it. */
typedef union QmpResult {
    void *pointer;
    QapiList list;
    uint64_t integer;
    double number;
} QmpResult;

/* What holds with such a machine, whoever asks. */
static inline unsigned qmp_rules_of(const Vm *vm)
{
    return vm ? 0 : QMP_PRECONFIG;
}

/* May it be asked now? */
bool qmp_command_allowed(const QapiCommand *command, unsigned rules, GError **error);

/* Does what `call` says. Takes the arguments (as the command has them), whatever becomes of it. */
bool qmp_command_run(QmpCall *call, void *arguments, QmpResult *result, GError **error);

typedef struct QmpRequest QmpRequest;

/* What came: a value, or the error that it is none. Takes what is in `input`. */
QmpRequest *qmp_request_new(QmpInput *input);
void qmp_request_free(QmpRequest *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpRequest, qmp_request_free)

/* Where it was; at first nowhere. */
void qmp_request_place(QmpRequest *r, QmpExtent extent);
QmpExtent qmp_request_extent(const QmpRequest *r);

/* Does it want to go ahead of others? */
bool qmp_request_is_oob(const QmpRequest *r);

/*
 * Writes its answer, as one value; false: the command was done, and it is one that says nothing then. `call` is what
 * the handler gets; which command it is, is put there.
 */
bool qmp_request_answer(QmpRequest *r, const QmpTable *table, unsigned rules, QmpCall *call, QmpText *text);

#endif
