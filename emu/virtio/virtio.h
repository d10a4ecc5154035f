/*
 * virtio.h: what all virtio devices have in common, on the PCI bus.
 *
 * A device's wiring struct begins with a Virtio, its state struct with a VirtioState. Its VirtioKind says what it is;
 * its realize, unrealize and reset call virtio_start, virtio_stop and virtio_reset_device, the hooks of its description
 * virtio_pull, virtio_check and virtio_push.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2; for transitional devices also Virtio PCI Card Specification 0.9.5.
 */
#ifndef EMU_VIRTIO_VIRTIO_H
#define EMU_VIRTIO_VIRTIO_H

#include "emu/core/bell.h"
#include "emu/pci/msix.h"
#include "emu/pci/pci.h"
#include "emu/virtio/virtqueue.h"

enum {
    VIRTIO_QUEUES_MAX = 1024, /* for which a stream has room */
    VIRTIO_QUEUES = 8,        /* of one device here, at most; */
    VIRTIO_VECTORS = 9,       /* and vectors */
    VIRTIO_MSIX_AT = 0x98,    /* in configuration space, as with QEMU 7.2 */
    VIRTIO_CONFIG = 64,       /* octets of a device's configuration */
    VIRTIO_CONFIG_MAX = 256,  /* the most that a stream may have of it */
};

/* Status (1.2, section 2.1). */
enum {
    VIRTIO_ACKNOWLEDGE = 1,
    VIRTIO_DRIVER = 2,
    VIRTIO_DRIVER_OK = 4,
    VIRTIO_FEATURES_OK = 8,
    VIRTIO_NEEDS_RESET = 64,
};

enum { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };

#define VIRTIO_F(n) (UINT64_C(1) << (n))

/* Features of any device (1.2, chapter 6; 0.9.5, appendix B). */
#define VIRTIO_F_NOTIFY_ON_EMPTY VIRTIO_F(24)
#define VIRTIO_F_ANY_LAYOUT      VIRTIO_F(27)
#define VIRTIO_F_INDIRECT_DESC   VIRTIO_F(28)
#define VIRTIO_F_EVENT_IDX       VIRTIO_F(29)
#define VIRTIO_F_BAD_FEATURE     VIRTIO_F(30) /* never to be taken: shows drivers that take all */
#define VIRTIO_F_VERSION_1       VIRTIO_F(32)
#define VIRTIO_F_RING_RESET      VIRTIO_F(40)
#define VIRTIO_F_ALL                                                                                                   \
    (VIRTIO_F_NOTIFY_ON_EMPTY | VIRTIO_F_ANY_LAYOUT | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX |                    \
     VIRTIO_F_BAD_FEATURE | VIRTIO_F_VERSION_1 | VIRTIO_F_RING_RESET)

/* --- state ------------------------------------------------------------------------------------------------------ */

typedef struct VirtioQueueState {
    uint32_t num;
    uint64_t desc;
    uint16_t last_avail; /* next to be popped */
    uint16_t vector;
} VirtioQueueState;

typedef struct VirtioRingState {
    uint64_t avail, used;
} VirtioRingState;

/* What a driver of virtio 1 has written to a queue's registers. */
typedef struct VirtioRegisters {
    uint16_t num;
    uint8_t unused;
    bool enabled;
    uint32_t desc[2], avail[2], used[2];
} VirtioRegisters;

typedef struct VirtioState {
    PciState pci;
    uint8_t msix_table[MSIX_TABLE_SIZE(VIRTIO_VECTORS)];
    uint8_t msix_pending[MSIX_PBA_SIZE(VIRTIO_VECTORS)];
    uint16_t config_vector;
    uint8_t status, isr;
    uint16_t queue_select;
    uint32_t features_low; /* on the wire only */
    uint32_t config_len;
    uint8_t config[VIRTIO_CONFIG_MAX]; /* as the guest has last seen it */
    uint32_t queue_count;
    VirtioQueueState queues[VIRTIO_QUEUES_MAX];

    bool has_features; /* subsections */
    uint64_t features; /* that the guest has taken */
    bool has_rings;
    VirtioRingState rings[VIRTIO_QUEUES_MAX];
    bool has_ring_sizes;
    uint32_t ring_sizes[VIRTIO_QUEUES_MAX]; /* as the device has them before the guest changes them */
    bool has_broken, broken;
    bool has_extra, has_registers;
    uint32_t feature_select, guest_feature_select, guest_features[2];
    VirtioRegisters registers[VIRTIO_QUEUES_MAX];
    bool has_started, started;
    bool has_disabled, disabled;

    uint64_t offered;     /* features; set by the device before virtio_start, and does not change */
    uint32_t queues_here; /* set by virtio_start */
} VirtioState;

/* --- a device --------------------------------------------------------------------------------------------------- */

typedef struct VirtioKind {
    const char *section;
    uint16_t pci_device, pci_class, subsystem;
    uint16_t queues, vectors;
    uint16_t queue_size[VIRTIO_QUEUES];
    uint16_t config_len;
    uint64_t legacy_features; /* not to be seen by a driver of virtio 1, besides those of any device */

    /* Any may be NULL but notified. */
    void (*get_config)(Virtio *v, uint8_t *config);
    void (*set_config)(Virtio *v, const uint8_t *config);
    void (*notified)(Virtio *v, unsigned queue); /* there may be chains in it */
    void (*status_changed)(Virtio *v);
    void (*features_changed)(Virtio *v);
    void (*reset)(Virtio *v);
    void (*queue_reset)(Virtio *v, unsigned queue); /* chains in use do not come back */
    void (*runs)(Virtio *v, bool runs);             /* the machine starts, or has stopped */
} VirtioKind;

struct Virtio {
    PciDevice pci;
    const VirtioKind *kind; /* of the type; or the device's own, where numbers of queues are an option */
    Msix msix;
    uint8_t generation; /* of the configuration */
    const char *why_broken;
    Virtqueue vq[VIRTIO_QUEUES];
    bool ioeventfd; /* option: the guest's doorbells ring in the kernel, where that can */
    Bell *bells[VIRTIO_QUEUES];
    bool on_loop; /* a bell has rung: this is the loop's thread, on which no processor waits */
};

static inline VirtioState *virtio_state(const Virtio *v)
{
    return device_state((const Device *)v);
}

static inline bool virtio_has(const Virtio *v, uint64_t feature)
{
    return virtio_state(v)->features & feature;
}

/* May it touch its rings? Not when it is broken, or the guest has forbidden it the bus. */
static inline bool virtio_is_alive(const Virtio *v)
{
    const VirtioState *s = virtio_state(v);

    return !s->broken && !s->disabled;
}

/* Something makes no sense: the device does nothing until it is reset, and says so. `why` is constant text. */
void virtio_break(Virtio *v, const char *why);

/* Interrupts: of a queue, and because the configuration has changed. */
void virtio_notify_queue(Virtio *v, unsigned queue);
void virtio_notify_config(Virtio *v);

/* --- for virtio-pci.c ------------------------------------------------------------------------------------------- */

void virtio_set_status(Virtio *v, uint8_t status);
void virtio_set_features(Virtio *v, uint64_t features);
void virtio_set_disabled(Virtio *v, bool disabled);
void virtio_set_queue_size(Virtio *v, unsigned queue, unsigned size);
void virtio_reset(Virtio *v); /* the device, not what PCI is of it */
void virtio_reset_queue(Virtio *v, unsigned queue);

/* Hangs doorbells in the kernel for queues that are in use, and takes down others: to be called after any change. */
void virtio_hang_bells(Virtio *v);

/* The guest has written to a queue's doorbell. */
void virtio_kick(Virtio *v, unsigned queue);

/* The device's configuration; what is beyond it reads as ones. */
uint32_t virtio_config_read(Virtio *v, unsigned addr, unsigned size);
void virtio_config_write(Virtio *v, unsigned addr, uint32_t value, unsigned size);

/* Reads the interrupt status, which clears it. */
uint8_t virtio_read_isr(Virtio *v);

/* --- the life of a device --------------------------------------------------------------------------------------- */

/* kind and offered features are set. `rom`: an expansion ROM, borrowed, or NULL. */
bool virtio_start(Virtio *v, RamArea *rom, GError **error);
void virtio_stop(Virtio *v);
void virtio_reset_device(Virtio *v);

bool virtio_pull(void *opaque, GError **error);
void virtio_push(void *opaque);

/* Numbers of queues and vectors are those of the device, not of the kind. */
bool virtio_check(const VirtioState *s, const VirtioKind *kind, GError **error);

/* Options of all, whose structs begin with `v`. */
#define VIRTIO_OPTIONS(Struct) VMS_FIELD(Struct, v.ioeventfd, .name = "ioeventfd")

/* --- descriptions ----------------------------------------------------------------------------------------------- */

extern const VMStateDescription virtio_queue_state;
extern const VMStateSubsection virtio_subsections[];

/* Has it, or the one that is being loaded, more than n vectors? */
bool virtio_has_more_than_2(const void *state, int version);
bool virtio_has_more_than_3(const void *state, int version);
bool virtio_has_more_than_4(const void *state, int version);
bool virtio_has_more_than_5(const void *state, int version);
bool virtio_has_more_than_6(const void *state, int version);
bool virtio_has_more_than_7(const void *state, int version);
bool virtio_has_more_than_8(const void *state, int version);

/* The fields of a device with n vectors, up to those of its own. */
#define VIRTIO_FIELDS(n) VIRTIO_FIELDS_TABLE(n), VIRTIO_FIELDS_PENDING, VIRTIO_FIELDS_REST

/* In parts, for one with more vectors when it is told so. */
#define VIRTIO_FIELDS_TABLE(n)                                                                                         \
    VMS_SUB(VirtioState, pci, &pci_device_state),                                                                      \
    {                                                                                                                  \
        .name = "msix_table", .kind = VMS_BUFFER, .offset = offsetof(VirtioState, msix_table),                         \
        .size = MSIX_TABLE_SIZE(n), .count = 1                                                                         \
    }
#define VIRTIO_FIELDS_PENDING                                                                                          \
    {                                                                                                                  \
        .name = "msix_pending", .kind = VMS_BUFFER, .offset = offsetof(VirtioState, msix_pending), .size = 1,          \
        .count = 1                                                                                                     \
    }
#define VIRTIO_FIELDS_REST                                                                                             \
    VMS_FIELD(VirtioState, config_vector), VMS_FIELD(VirtioState, status), VMS_FIELD(VirtioState, isr),                \
        VMS_FIELD(VirtioState, queue_select), VMS_FIELD(VirtioState, features_low),                                    \
        VMS_FIELD(VirtioState, config_len), VMS_COUNTED(VirtioState, config, config_len),                              \
        VMS_FIELD(VirtioState, queue_count),                                                                           \
        VMS_SUB_ARRAY(VirtioState, queues, &virtio_queue_state, VMS_COUNTED_BY(VirtioState, queue_count))

/*
 * Octets of the table, and of the pending bits, that are there with more than n vectors only. How many there are is
 * looked up in configuration space, which comes first: so a source that has another number is told from nonsense.
 */
#define VIRTIO_FIELD_IF_MORE(name_, member, at, octets, n)                                                             \
    {                                                                                                                  \
        .name = (name_), .kind = VMS_BUFFER, .offset = offsetof(VirtioState, member) + (at), .size = (octets),         \
        .count = 1, .present = virtio_has_more_than_##n                                                                \
    }
#define VIRTIO_FIELD_VECTOR(n) VIRTIO_FIELD_IF_MORE("msix_vector_" #n, msix_table, MSIX_TABLE_SIZE(n), MSIX_ENTRY, n)

/* The only field of a device's section, which QEMU's description has as one that nobody described. */
#define VIRTIO_SECTION(Struct, desc_)                                                                                  \
    {                                                                                                                  \
        .name = "virtio", .type = "virtio", .kind = VMS_STRUCT, .size = sizeof(Struct), .count = 1, .desc = (desc_)    \
    }

#endif
