/* test-snapshot-workload.c: a guest writes while snapshots come and go; whenever the power goes, none has changed. */
#include "tests/qcow2/snapshot-rig.h"

enum { STEPS = 25, CUTS = 150 };

/* What one can see of the snapshots after so many events. */
typedef struct Mark {
    size_t events;
    char *text;
} Mark;

static void mark_clear(void *mark)
{
    g_free(((Mark *)mark)->text);
}

static char *snapshots_text(Image *image)
{
    GString *text = g_string_new(NULL);
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);

    for (unsigned i = 0; i < count; i++)
        rig_snapshot(text, image, all[i]);
    return g_string_free(text, FALSE);
}

static void step(Image *image, GRand *random, unsigned number)
{
    g_autofree char *name = g_strdup_printf("s%u", number);
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);
    const Qcow2Snapshot *any = count ? all[g_rand_int_range(random, 0, (gint32)count)] : NULL;

    switch (g_rand_int_range(random, 0, 8)) {
    case 0:
    case 1:
        OK(qcow2_snapshot_create(image, &(Qcow2SnapshotNew){.name = name, .icount = UINT64_MAX}, &error));
        break;
    case 2:
    case 3:
        rig_snapshot_vm(image, name, (uint8_t)(number + 1), (size_t)g_rand_int_range(random, 1, 20000));
        break;
    case 4:
        if (any)
            OK(qcow2_snapshot_goto(image, any, &error));
        break;
    case 5:
    case 6:
        if (any)
            OK(qcow2_snapshot_delete(image, any, QCOW2_ORPHANS_REPARENT, &error));
        break;
    default:
        OK(image_resize(image, 512 * (uint64_t)g_rand_int_range(random, 100, 700), &error));
    }
}

/* A deletion is followed by punches, which come behind its end: what is seen is that of the mark before or behind. */
static void cut(HostFile *file, const GArray *marks, GRand *random)
{
    size_t before = (size_t)g_rand_int_range(random, (gint32)g_array_index(marks, Mark, 0).events,
                                             (gint32)crash_file_events(file) + 1);
    g_autoptr(GByteArray) left = crash_file_left(file, before, (CrashKeep)g_rand_int_range(random, 0, 4), random);
    guint next = 0;

    while (next < marks->len && g_array_index(marks, Mark, next).events <= before)
        next++;
    rig_judge(left, true, "a cut");
    Image *image = rig_open_octets(left, true);
    g_autofree char *text = snapshots_text(image);
    image_close(image);
    const char *old = g_array_index(marks, Mark, next - 1).text;
    const char *new = next < marks->len ? g_array_index(marks, Mark, next).text : old;
    cr_assert(strcmp(text, old) == 0 || strcmp(text, new) == 0, "before event %zu there is%s\nnot%s\nor%s", before,
              text, old, new);
}

static void workload(const Qcow2Create *options, guint32 seed)
{
    g_autoptr(GByteArray) empty = rig_create(options);
    HostFile *file = crash_file_new(empty->data, empty->len);
    Image *image = rig_open(file, false);
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);
    g_autoptr(GArray) marks = g_array_new(FALSE, FALSE, sizeof(Mark));

    g_array_set_clear_func(marks, mark_clear);
    for (unsigned number = 0; number < STEPS; number++) {
        rig_scribble(image, random, (unsigned)g_rand_int_range(random, 0, 20));
        step(image, random, number);
        Mark mark = {crash_file_events(file), snapshots_text(image)};
        g_array_append_val(marks, mark);
    }
    OK(image_set_active(image, false, &error));
    g_autoptr(GByteArray) end = crash_file_left(file, crash_file_events(file), CRASH_DROP, random);
    rig_judge(end, false, "the end");
    for (unsigned i = 0; i < CUTS; i++)
        cut(file, marks, random);
    image_close(image);
}

static void seeds(const Qcow2Create *options)
{
    const char *more = g_getenv("SEEDS");

    for (guint32 seed = 1; seed <= (more ? (guint32)atoi(more) : 6); seed++)
        workload(options, seed);
}

Test(snapshot_workload, with_small_clusters)
{
    seeds(&(Qcow2Create){.size = 98304, .cluster_size = 512});
}

Test(snapshot_workload, with_wide_counts)
{
    seeds(&(Qcow2Create){.size = 98304, .cluster_size = 1024, .refcount_bits = 64, .zstd = true});
}

Test(snapshot_workload, with_narrow_counts_and_clusters_of_4_kib)
{
    seeds(&(Qcow2Create){.size = 200704, .cluster_size = 4096, .refcount_bits = 8});
}

Test(snapshot_workload, with_subclusters)
{
    seeds(&(Qcow2Create){.size = 300032, .cluster_size = 16384, .extended_l2 = true});
}

Test(snapshot_workload, with_clusters_of_64_kib)
{
    seeds(&(Qcow2Create){.size = 300032});
}
