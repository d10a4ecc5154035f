/* test-pc.c: the whole PC: its sections against QEMU's, and the firmware on KVM where there is one. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "emu/machine/pc.h"
#include "tests/support/recordings.h"
#include "vmstate/schema.h"
#include "vmstate/stream-load.h"
#include "vmstate/stream-save.h"

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

static char *list_sections(const ByteOut *stream)
{
    static const StreamSinkOps ops = {.section = list_section};
    List list = {.sink.ops = &ops, .text = g_string_new(NULL)};
    g_autoptr(GError) error = NULL;

    cr_assert(load_stream(stream, STREAM_MACHINE, &list.sink, &error), "%s", error ? error->message : "");
    return g_string_free(list.text, FALSE);
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
    g_autofree char *lacking =
        missing_lines(theirs, ours, (const char *const[]){"kvmclock", "0000:00:01.1/ide", "fw_cfg", "cpu ", NULL});
    g_autofree char *more = missing_lines(ours, theirs, (const char *const[]){"fw_cfg", "cpu ", NULL});
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

Test(pc, the_firmware_starts_and_finds_what_there_is, .timeout = 60)
{
    g_autofree char *firmware = find_firmware();
    g_autoptr(GError) error = NULL;
    Boot boot = {.said = g_string_new(NULL), .wanted = "Found 3 PCI devices"};
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd < 0 || !firmware)
        cr_skip_test("no /dev/kvm, or no SeaBIOS");
    close(fd);
    boot.debug = chardev_new_memory(&(ChardevHome){.label = "debug"}, &(ChardevMemory){.size = 65536});
    const PcOptions options = {.ram = 64 << 20,
                               .cpus = 1,
                               .bios = firmware,
                               .kvm = true,
                               .debug = boot.debug,
                               .events = {.failed = fail, .opaque = &boot}};
    boot.pc = pc_new(&options, g_main_context_default(), &error);
    cr_assert_not_null(boot.pc, "%s", error ? error->message : "");
    guint ear = g_timeout_add(20, listen, &boot), patience = g_timeout_add_seconds(50, give_up, &boot);
    pc_start(boot.pc);
    loop_run(pc_loop(boot.pc));
    pc_stop(boot.pc);
    g_source_remove(ear);
    cr_assert_null(boot.failure, "%s", boot.failure);
    cr_assert_not_null(strstr(boot.said->str, "SeaBIOS (version"), "%s", boot.said->str);
    cr_assert_not_null(strstr(boot.said->str, boot.wanted), "%s", boot.said->str);
    (void)patience;
    pc_free(boot.pc);
    chardev_free(boot.debug);
    g_string_free(boot.said, TRUE);
}
