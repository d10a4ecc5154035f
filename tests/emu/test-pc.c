/* test-pc.c: the whole PC: its sections against QEMU's, and the firmware on KVM where there is one. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "emu/machine/migrate.h"
#include "tests/support/recordings.h"
#include "visitors/qemufile-out.h"
#include "vmstate/stream-load.h"
#include "vmstate/stream-save.h"
#include "vmstate/transport.h"
#include "vmstate/walk.h"

/* --- sections --------------------------------------------------------------------------------------------------- */

/* The sections of a stream, a line each: name, instance, version, octets. */
typedef struct List {
    StreamSink sink;
    GString *text;
} List;

static bool list_section(StreamSink *sink, const StreamSection *s, GError **error)
{
    (void)error;
    if (!s->configuration)
        g_string_append_printf(((List *)sink)->text, "%s %u %d %zu\n", s->name, s->instance, s->version, s->len);
    return true;
}

/* The same with what is in them, but for the time of day, and the processor, which counts on. */
static bool list_content(StreamSink *sink, const StreamSection *s, GError **error)
{
    ByteOut octets = {0};

    (void)error;
    if (s->configuration || strcmp(s->name, "mc146818rtc") == 0 || strcmp(s->name, "cpu") == 0)
        return true;
    g_autoptr(Visitor) v = qemufile_out_new(&octets, s->name);
    vmstate_save(v, s->desc, s->state);
    g_autofree char *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, octets.data, octets.len);
    g_string_append_printf(((List *)sink)->text, "%s %u %s\n", s->name, s->instance, sum);
    byte_out_done(&octets);
    return true;
}

static char *list_with(const ByteOut *stream, bool content)
{
    const StreamSinkOps ops = {.section = content ? list_content : list_section};
    List list = {.sink.ops = &ops, .text = g_string_new(NULL)};
    g_autoptr(GError) error = NULL;

    cr_assert(load_stream(stream, STREAM_MACHINE, &list.sink, &error), "%s", error ? error->message : "");
    return g_string_free(list.text, FALSE);
}

static char *list_sections(const ByteOut *stream)
{
    return list_with(stream, false);
}

static Pc *make_pc(uint64_t ram, unsigned cpus, Chardev *serial)
{
    g_autoptr(GError) error = NULL;
    const PcOptions options = {.ram = ram, .cpus = cpus, .serial = {serial}};
    Pc *pc = pc_new(&options, g_main_context_default(), &error);

    cr_assert_not_null(pc, "%s", error ? error->message : "");
    return pc;
}

static void save(Pc *pc, ByteOut *out)
{
    g_autoptr(ChanOut) to = chan_out_new(chan_buf_new(out));
    g_autoptr(GError) error = NULL;
    StreamSink *sink = stream_save_new(to, NULL);

    cr_assert(machine_save(pc_machine(pc), pc_identity(), sink, &error), "%s", error ? error->message : "");
    cr_assert(chan_out_finish(to, NULL));
    stream_save_free(sink);
}

/* The lines of a that are not among those of b. */
static char *missing_lines(const char *a, const char *b, const char *const *but)
{
    g_auto(GStrv) lines = g_strsplit(a, "\n", -1);
    g_auto(GStrv) others = g_strsplit(b, "\n", -1);
    GString *missing = g_string_new(NULL);

    for (size_t i = 0; lines[i]; i++) {
        bool excused = false;
        for (size_t k = 0; but[k]; k++)
            excused = excused || g_str_has_prefix(lines[i], but[k]);
        if (!excused && !g_strv_contains((const char *const *)others, lines[i]))
            g_string_append_printf(missing, "%s; ", lines[i]);
    }
    return g_string_free(missing, FALSE);
}

/* Every section that a plain machine of QEMU's has is here, with the same version and length, in the same order. */
Test(pc, its_sections_are_those_of_qemu)
{
    ByteOut recorded = {0}, saved = {0};
    g_autoptr(Chardev) serial = chardev_new_null(&(ChardevHome){.label = "serial0"});
    Pc *pc = make_pc(32 << 20, 1, serial);

    recording_read("a-kvm-min.mig", &recorded);
    save(pc, &saved);
    g_autofree char *theirs = list_sections(&recorded);
    g_autofree char *ours = list_sections(&saved);
    g_autofree char *lacking = missing_lines(theirs, ours, (const char *const[]){"kvmclock", "cpu ", NULL});
    g_autofree char *more = missing_lines(ours, theirs, (const char *const[]){"cpu ", NULL});
    cr_assert_str_eq(lacking, "");
    cr_assert_str_eq(more, "");
    byte_out_done(&recorded);
    byte_out_done(&saved);
    pc_free(pc);
}

Test(pc, nonsense_is_refused_by_name)
{
    const struct {
        PcOptions options;
        const char *message;
    } wrong[] = {
        {{.ram = 1 << 20, .cpus = 0}, "0 processors; there can be 1 to 8"},
        {{.ram = 1 << 20, .cpus = 9}, "9 processors; there can be 1 to 8"},
        {{.ram = 5000000, .cpus = 1}, "5000000 octets of memory"},
        {{.ram = 4096, .cpus = 1}, "4096 octets of memory; at least 1048576 are needed"},
        {{.ram = 1 << 20, .cpus = 1, .bios = "no/such/firmware"}, "no/such/firmware"},
        {{.ram = 1 << 20, .cpus = 1, .bios = "LICENSE"}, "LICENSE: a firmware of "},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        cr_assert_null(pc_new(&wrong[i].options, g_main_context_default(), &error));
        cr_assert_not_null(strstr(error->message, wrong[i].message), "%s", error->message);
    }
}

/* --- on KVM ----------------------------------------------------------------------------------------------------- */

/* SeaBIOS, where a package has put it. New string, or NULL. */
static char *find_firmware(void)
{
    for (const char *const *dir = g_get_system_data_dirs(); *dir; dir++) {
        g_autofree char *path = g_build_filename(*dir, "seabios", "bios-256k.bin", NULL);
        if (access(path, R_OK) == 0)
            return g_steal_pointer(&path);
    }
    return NULL;
}

enum { LSTAR_AT = 832 /* in the section "cpu" */ };

typedef struct Boot {
    Pc *pc;
    Chardev *debug;
    GString *said;
    const char *wanted;
    char *failure;
} Boot;

static void fail(void *opaque, const char *failure)
{
    Boot *boot = opaque;

    boot->failure = g_strdup(failure);
    loop_quit(pc_loop(boot->pc));
}

static gboolean listen(gpointer opaque)
{
    Boot *boot = opaque;
    char text[4096];

    machine_lock(pc_machine(boot->pc));
    size_t n = chardev_memory_read(boot->debug, text, sizeof text);
    machine_unlock(pc_machine(boot->pc));
    g_string_append_len(boot->said, text, (gssize)n);
    if (strstr(boot->said->str, boot->wanted))
        loop_quit(pc_loop(boot->pc));
    return G_SOURCE_CONTINUE;
}

static gboolean give_up(gpointer opaque)
{
    loop_quit(pc_loop(((Boot *)opaque)->pc));
    return G_SOURCE_REMOVE;
}

static bool can_boot(void)
{
    g_autofree char *firmware = find_firmware();
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0 && firmware;
}

static void boot_init(Boot *boot)
{
    g_autofree char *firmware = find_firmware();
    g_autoptr(GError) error = NULL;

    *boot = (Boot){.said = g_string_new(NULL)};
    boot->debug = chardev_new_memory(&(ChardevHome){.label = "debug"}, &(ChardevMemory){.size = 65536});
    const PcOptions options = {.ram = 16 << 20,
                               .cpus = 1,
                               .bios = firmware,
                               .kvm = true,
                               .debug = boot->debug,
                               .events = {.failed = fail, .opaque = boot}};
    boot->pc = pc_new(&options, g_main_context_default(), &error);
    cr_assert_not_null(boot->pc, "%s", error ? error->message : "");
}

static void boot_done(Boot *boot)
{
    pc_free(boot->pc);
    chardev_free(boot->debug);
    g_string_free(boot->said, TRUE);
    g_free(boot->failure);
}

/* Runs until the firmware says that; it stands then. */
static void run_until(Boot *boot, const char *wanted)
{
    boot->wanted = wanted;
    guint ear = g_timeout_add(5, listen, boot), patience = g_timeout_add_seconds(40, give_up, boot);
    pc_start(boot->pc);
    loop_run(pc_loop(boot->pc));
    pc_stop(boot->pc);
    g_source_remove(ear);
    if (g_main_context_find_source_by_id(NULL, patience))
        g_source_remove(patience);
    cr_assert_null(boot->failure, "%s", boot->failure);
    cr_assert_not_null(strstr(boot->said->str, wanted), "no \"%s\" in: %s", wanted, boot->said->str);
}

Test(pc, it_has_system_management_mode_if_KVM_has_it_and_nobody_says_no)
{
    PcOptions options = {.ram = 16 << 20, .cpus = 1, .kvm = true, .smm = PC_SMM_ON};
    g_autoptr(GError) error = NULL;

    if (!can_boot())
        cr_skip_test("no /dev/kvm, or no SeaBIOS");
    g_autoptr(Pc) on = pc_new(&options, g_main_context_default(), &error);
    if (!on)
        cr_assert_str_eq(error->message, "system management mode: this KVM does not have it "
                                         "(-machine smm=auto or off does without)");
    options.smm = PC_SMM_AUTO;
    g_autoptr(Pc) automatic = pc_new(&options, g_main_context_default(), NULL);
    cr_assert_eq(pc_has_smm(automatic), on != NULL);
    options.smm = PC_SMM_OFF;
    g_autoptr(Pc) off = pc_new(&options, g_main_context_default(), NULL);
    cr_assert_not(pc_has_smm(off));
}

Test(pc, the_firmware_runs_to_its_end, .timeout = 60)
{
    Boot boot;

    if (!can_boot())
        cr_skip_test("no /dev/kvm, or no SeaBIOS");
    boot_init(&boot);
    run_until(&boot, "No bootable device");
    cr_assert_not_null(strstr(boot.said->str, "Found 4 PCI devices"), "%s", boot.said->str);
    boot_done(&boot);
}

/* From machine to machine, while the firmware runs, in each format. */
Test(pc, a_machine_goes_on_where_it_was_in_another_one, .timeout = 120)
{
    static const char *const marks[] = {"Running on KVM", "Found 4 PCI devices", "PCI: init bdf=00:01.3",
                                        "No bootable device"};
    static const MigrateFormat formats[] = {MIGRATE_QEMUFILE, MIGRATE_BER, MIGRATE_BER_ZSTD};
    Boot boots[2];

    if (!can_boot())
        cr_skip_test("no /dev/kvm, or no SeaBIOS");
    boot_init(&boots[0]);
    run_until(&boots[0], marks[0]);
    for (int i = 0; i < 3; i++) {
        Boot *from = &boots[i % 2], *to = &boots[(i + 1) % 2];
        g_autoptr(GError) error = NULL;
        ByteOut stream = {0};
        boot_init(to);
        pc_stop(from->pc);
        pc_set_run_state(from->pc, "paused");
        cr_assert(migrate_save(from->pc, chan_buf_new(&stream), formats[i], &error), "%s", error ? error->message : "");
        cr_assert(migrate_in(to->pc, chan_mem_new(stream.data, stream.len), &error), "%s", error ? error->message : "");
        cr_assert_str_eq(pc_run_state(to->pc), "paused", "it stood before");
        boot_done(from);
        run_until(to, marks[i + 1]);
        byte_out_done(&stream);
    }
    boot_done(&boots[1]);
}

Test(pc, a_state_that_kvm_refuses_changes_nothing, .timeout = 60)
{
    g_autoptr(GError) error = NULL;
    ByteOut stream = {0}, before = {0}, after = {0};
    Boot boot;

    if (!can_boot())
        cr_skip_test("no /dev/kvm, or no SeaBIOS");
    boot_init(&boot);
    cr_assert(migrate_save(boot.pc, chan_buf_new(&stream), MIGRATE_QEMUFILE, &error));
    const uint8_t name[] = {3, 'c', 'p', 'u', 0, 0, 0, 0, 0, 0, 0, 12};
    uint8_t *at = memmem(stream.data, stream.len, name, sizeof name);
    cr_assert_not_null(at);
    at[sizeof name + LSTAR_AT] = 0x80;
    save(boot.pc, &before);
    cr_assert_not(migrate_in(boot.pc, chan_mem_new(stream.data, stream.len), &error));
    cr_assert_str_eq(error->message,
                     "processor 0: KVM refuses MSR 0xc0000082 (LSTAR): the state has 0x8000000000000000");
    save(boot.pc, &after);
    g_autofree char *was = list_with(&before, true);
    g_autofree char *is = list_with(&after, true);
    g_autofree char *changed = missing_lines(is, was, (const char *const[]){NULL});
    cr_assert_str_eq(changed, "");
    byte_out_done(&stream);
    byte_out_done(&before);
    byte_out_done(&after);
    boot_done(&boot);
}
