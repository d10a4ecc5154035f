/* commands-tpm.c: trusted platform modules, of which there are none; schema/tpm.json. */
#include "emu/qmp/call.h"
#include "qapi/commands.h"

bool qmp_query_tpm_models(QmpCall *call, QmpTpmModelList *result, GError **error)
{
    (void)call;
    (void)result;
    (void)error;
    return true;
}

bool qmp_query_tpm_types(QmpCall *call, QmpTpmTypeList *result, GError **error)
{
    (void)call;
    (void)result;
    (void)error;
    return true;
}

bool qmp_query_tpm(QmpCall *call, QmpTPMInfoList *result, GError **error)
{
    (void)call;
    (void)result;
    (void)error;
    return true;
}
