/* commands-virtio.c: insides of virtio devices, for who looks for faults; schema/virtio.json. */
#include <string.h>

#include "emu/core/machine.h"
#include "emu/machine/inspect.h"
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "emu/qmp/qom-view.h"
#include "emu/virtio/virtio.h"
#include "qapi/commands.h"

/* --- which device ------------------------------------------------------------------------------------------------- */

static bool is_virtio(const QomObject *o)
{
    return qom_type_is(qom_type_find(o->type), "virtio-device");
}

/* "virtio-net" of "virtio-net-device". New. */
static char *name_of(const QomObject *o)
{
    return g_strndup(o->type, strlen(o->type) - strlen("-device"));
}

/* The latest first, as QEMU has them. */
bool qmp_x_query_virtio(QmpCall *call, QmpVirtioInfoList *result, GError **error)
{
    g_autoptr(QomView) view = qom_view_new(qmp_call_vm(call));
    const GPtrArray *objects = qom_view_objects(view);

    (void)error;
    result->items = g_new(QmpVirtioInfo *, objects->len);
    for (guint i = objects->len; i-- > 0;) {
        const QomObject *o = objects->pdata[i];
        if (!is_virtio(o))
            continue;
        QmpVirtioInfo *info = result->items[result->count++] = g_new0(QmpVirtioInfo, 1);
        info->path = g_strdup(o->path);
        info->name = name_of(o);
    }
    return true;
}

static Virtio *find(QmpCall *call, const char *path, char **name, GError **error)
{
    g_autoptr(QomView) view = qom_view_new(qmp_call_vm(call));
    const QomObject *o = qom_view_find(view, path, NULL);

    if (!o || !is_virtio(o)) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "Path %s is not a VirtIODevice", path);
        return NULL;
    }
    *name = name_of(o);
    return (Virtio *)o->dev;
}

/* --- words -------------------------------------------------------------------------------------------------------- */

typedef struct Word {
    uint64_t bits;
    const char *text;
} Word;

/* 1.2, section 2.1 and chapter 6. */
static const Word statuses[] = {
    {VIRTIO_ACKNOWLEDGE, "VIRTIO_CONFIG_S_ACKNOWLEDGE: Valid virtio device found"},
    {VIRTIO_DRIVER, "VIRTIO_CONFIG_S_DRIVER: Guest OS compatible with device"},
    {VIRTIO_FEATURES_OK, "VIRTIO_CONFIG_S_FEATURES_OK: Feature negotiation complete"},
    {VIRTIO_DRIVER_OK, "VIRTIO_CONFIG_S_DRIVER_OK: Driver setup and ready"},
    {VIRTIO_NEEDS_RESET, "VIRTIO_CONFIG_S_NEEDS_RESET: Irrecoverable error, device needs reset"},
    {128, "VIRTIO_CONFIG_S_FAILED: Error in guest, device failed"},
    {0, NULL},
};

static const Word transports[] = {
    {VIRTIO_F_NOTIFY_ON_EMPTY, "VIRTIO_F_NOTIFY_ON_EMPTY: Notify when device runs out of avail. descs. on VQ"},
    {VIRTIO_F_ANY_LAYOUT, "VIRTIO_F_ANY_LAYOUT: Device accepts arbitrary desc. layouts"},
    {VIRTIO_F_INDIRECT_DESC, "VIRTIO_RING_F_INDIRECT_DESC: Indirect descriptors supported"},
    {VIRTIO_F_EVENT_IDX, "VIRTIO_RING_F_EVENT_IDX: Used & avail. event fields enabled"},
    {VIRTIO_F_VERSION_1, "VIRTIO_F_VERSION_1: Device compliant for v1 spec (legacy)"},
    {VIRTIO_F_RING_RESET, "VIRTIO_F_RING_RESET: Single queues can be reset"},
    {0, NULL},
};

static QmpStrList words_of(const Word *words, uint64_t *bits)
{
    GPtrArray *texts = g_ptr_array_new();

    for (; words->text; words++) {
        if (!(*bits & words->bits))
            continue;
        g_ptr_array_add(texts, g_strdup(words->text));
        *bits &= ~words->bits;
    }
    QmpStrList list = {.count = texts->len};
    list.items = (char **)g_ptr_array_free(texts, FALSE);
    return list;
}

/* A device's own are told as bits. */
static QmpVirtioDeviceFeatures *features(uint64_t bits)
{
    QmpVirtioDeviceFeatures *f = g_new0(QmpVirtioDeviceFeatures, 1);

    f->transports = words_of(transports, &bits);
    f->has_dev_features = true;
    f->has_unknown_dev_features = bits;
    f->unknown_dev_features = bits;
    return f;
}

static QmpVirtioDeviceStatus *status_of(uint8_t status)
{
    QmpVirtioDeviceStatus *s = g_new0(QmpVirtioDeviceStatus, 1);
    uint64_t bits = status;

    s->statuses = words_of(statuses, &bits);
    s->has_unknown_statuses = bits;
    s->unknown_statuses = (uint8_t)bits;
    return s;
}

/* --- what it is at ------------------------------------------------------------------------------------------------ */

static uint16_t id_of(const char *name)
{
    return g_str_equal(name, "virtio-net") ? 1 : g_str_equal(name, "virtio-blk") ? 2 : 4;
}

QmpVirtioStatus *qmp_x_query_virtio_status(QmpCall *call, const QmpXQueryVirtioStatusArguments *arguments,
                                           GError **error)
{
    g_autofree char *name = NULL;
    Virtio *v = find(call, arguments->path, &name, error);
    Machine *machine = pc_machine(vm_pc(qmp_call_vm(call)));

    if (!v)
        return NULL;
    QmpVirtioStatus *r = g_new0(QmpVirtioStatus, 1);
    machine_lock(machine);
    const VirtioState *s = virtio_state(v);
    r->device_id = id_of(name);
    r->name = g_steal_pointer(&name);
    r->device_endian = g_strdup("little");
    r->guest_features = features(s->features);
    r->host_features = features(s->offered);
    r->backend_features = features(0);
    r->num_vqs = v->kind->queues;
    r->status = status_of(s->status);
    r->isr = s->isr;
    r->queue_sel = s->queue_select;
    r->vm_running = machine->running;
    r->broken = s->broken;
    r->disabled = s->disabled;
    r->use_started = true;
    r->started = s->started;
    r->bus_name = g_strdup("");
    r->use_guest_notifier_mask = true;
    machine_unlock(machine);
    return r;
}

static bool check_queue(const Virtio *v, uint16_t queue, GError **error)
{
    if (queue < v->kind->queues)
        return true;
    g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "Invalid virtqueue number %u", queue);
    return false;
}

static uint16_t read_16(Machine *machine, uint64_t addr)
{
    uint8_t octets[2] = {0xff, 0xff};
    size_t len = sizeof octets;
    const void *host = space_map_octets(machine->memory, addr, &len, false);

    if (host && len == sizeof octets)
        memcpy(octets, host, len);
    return (uint16_t)(octets[0] | octets[1] << 8);
}

QmpVirtQueueStatus *qmp_x_query_virtio_queue_status(QmpCall *call, const QmpXQueryVirtioQueueStatusArguments *arguments,
                                                    GError **error)
{
    g_autofree char *name = NULL;
    Virtio *v = find(call, arguments->path, &name, error);
    Machine *machine = pc_machine(vm_pc(qmp_call_vm(call)));
    uint16_t n = arguments->queue;

    if (!v || !check_queue(v, n, error))
        return NULL;
    QmpVirtQueueStatus *r = g_new0(QmpVirtQueueStatus, 1);
    machine_lock(machine);
    const VirtioState *s = virtio_state(v);
    const Virtqueue *vq = &v->vq[n];
    r->name = g_steal_pointer(&name);
    r->queue_index = n;
    r->inuse = vq->in_use;
    r->vring_num = s->queues[n].num;
    r->vring_num_default = s->ring_sizes[n] ? s->ring_sizes[n] : v->kind->queue_size[n];
    r->vring_align = VIRTQUEUE_LEGACY_ALIGN;
    r->vring_desc = s->queues[n].desc;
    r->vring_avail = s->rings[n].avail;
    r->vring_used = s->rings[n].used;
    r->has_last_avail_idx = r->has_shadow_avail_idx = true;
    r->last_avail_idx = s->queues[n].last_avail;
    r->shadow_avail_idx = s->rings[n].avail ? read_16(machine, s->rings[n].avail + 2) : 0;
    r->used_idx = vq->used_index;
    r->signalled_used = vq->told_index;
    r->signalled_used_valid = vq->told_is_known;
    machine_unlock(machine);
    return r;
}

/* --- what is in a queue ------------------------------------------------------------------------------------------- */

enum { DESC_SIZE = 16, DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };

static const Word desc_flags[] = {{DESC_NEXT, "next"}, {DESC_WRITE, "write"}, {DESC_INDIRECT, "indirect"}, {0, NULL}};

static uint64_t read_64(Machine *machine, uint64_t addr)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 4; i++)
        value |= (uint64_t)read_16(machine, addr + 2 * i) << 16 * i;
    return value;
}

/* A chain that comes back to itself ends after as many as there are. */
static void tell_chain(Machine *machine, const VirtioQueueState *q, uint16_t head, QmpVirtioRingDescList *list)
{
    list->items = g_new(QmpVirtioRingDesc *, q->num);
    for (uint32_t at = head; at < q->num && list->count < q->num;) {
        uint64_t desc = q->desc + (uint64_t)at * DESC_SIZE, flags = read_16(machine, desc + 12), known = flags;
        QmpVirtioRingDesc *d = list->items[list->count++] = g_new0(QmpVirtioRingDesc, 1);
        d->addr = read_64(machine, desc);
        d->len = (uint32_t)read_64(machine, desc + 8);
        d->flags = words_of(desc_flags, &known);
        at = flags & DESC_NEXT ? read_16(machine, desc + 14) : q->num;
    }
}

QmpVirtioQueueElement *qmp_x_query_virtio_queue_element(QmpCall *call,
                                                        const QmpXQueryVirtioQueueElementArguments *arguments,
                                                        GError **error)
{
    g_autofree char *name = NULL;
    Virtio *v = find(call, arguments->path, &name, error);
    Machine *machine = pc_machine(vm_pc(qmp_call_vm(call)));
    uint16_t n = arguments->queue;

    if (!v || !check_queue(v, n, error))
        return NULL;
    machine_lock(machine);
    const VirtioQueueState *q = &virtio_state(v)->queues[n];
    const VirtioRingState *ring = &virtio_state(v)->rings[n];
    if (!q->num || !q->desc || !ring->avail) {
        machine_unlock(machine);
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "queue %u: the driver has not set it up", n);
        return NULL;
    }
    QmpVirtioQueueElement *e = g_new0(QmpVirtioQueueElement, 1);
    uint16_t index = (uint16_t)((arguments->has_index ? arguments->index : q->last_avail) % q->num);
    e->name = g_steal_pointer(&name);
    e->index = index;
    e->avail = g_new0(QmpVirtioRingAvail, 1);
    e->avail->flags = read_16(machine, ring->avail);
    e->avail->idx = read_16(machine, ring->avail + 2);
    e->avail->ring = read_16(machine, ring->avail + 4 + 2 * index);
    e->used = g_new0(QmpVirtioRingUsed, 1);
    e->used->flags = read_16(machine, ring->used);
    e->used->idx = read_16(machine, ring->used + 2);
    tell_chain(machine, q, e->avail->ring, &e->descs);
    machine_unlock(machine);
    return e;
}
