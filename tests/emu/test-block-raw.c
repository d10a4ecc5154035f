/* test-block-raw.c: what can be odd about a file that is a disk, and disks that fail or wait. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/emu/support/disk-rig.h"
#include "visitors/error.h"

#define MIB (1024 * 1024)

static const HostEngine engines[] = {HOST_ENGINE_THREADS, HOST_ENGINE_AUTO};

static void refused(const BlkRaw *options, FerryError code, const char *says)
{
    g_autoptr(GError) error = NULL;
    Block *block = blk_raw_open(options, &error);

    cr_assert_null(block);
    cr_assert(g_error_matches(error, FERRY_ERROR, code), "%s", error->message);
    cr_assert_not_null(strstr(error->message, options->path), "%s", error->message);
    cr_assert_not_null(strstr(error->message, says), "%s", error->message);
}

static uint8_t *contents(const char *path, size_t *len)
{
    char *data;

    cr_assert(g_file_get_contents(path, &data, len, NULL));
    return (uint8_t *)data;
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

Test(block_raw, what_cannot_be_opened_is_named_with_the_cause)
{
    g_auto(Folder) f = folder_new(SECTOR);
    g_autofree char *absent = g_build_filename(f.path, "absent", NULL);

    refused(&(BlkRaw){.path = absent}, FERRY_ERROR_IO, "No such file or directory");
    refused(&(BlkRaw){.path = f.path}, FERRY_ERROR_IO, "Is a directory");
    refused(&(BlkRaw){.path = f.path, .read_only = true}, FERRY_ERROR_UNSUPPORTED, "neither a file nor a block device");
    refused(&(BlkRaw){.path = "/dev/null"}, FERRY_ERROR_UNSUPPORTED, "neither a file nor a block device");
    refused(&(BlkRaw){.path = f.image, .snapshot = true, .snapshot_dir = absent}, FERRY_ERROR_IO, absent);
    mkfifo(absent, 0600);
    refused(&(BlkRaw){.path = absent}, FERRY_ERROR_UNSUPPORTED, "neither a file nor a block device");
    refused(&(BlkRaw){.path = absent, .read_only = true}, FERRY_ERROR_UNSUPPORTED, "neither");
    g_unlink(absent);
}

Test(block_raw, a_file_ends_with_a_whole_sector_whose_missing_octets_are_zeros)
{
    for (unsigned i = 0; i < 2 * G_N_ELEMENTS(engines); i++) {
        g_auto(Folder) f = folder_new(700);
        size_t len;
        g_autofree uint8_t *before = contents(f.image, &len), *after = NULL;
        uint8_t data[1024], new[SECTOR];
        g_autoptr(GError) error = NULL;
        Block *block = blk_raw_open(&(BlkRaw){.path = f.image,
                                              .engine = engines[i / 2],
                                              .cache = i % 2 ? HOST_CACHE_NONE : HOST_CACHE_WRITEBACK},
                                    &error);

        if (!block && i % 2)
            continue; /* no O_DIRECT here */
        cr_assert_eq(block_length(block), 1024);
        memset(data, 0xaa, sizeof data);
        cr_assert_eq(disk_read(block, 0, data, sizeof data), 0);
        cr_assert_arr_eq(data, before, 700);
        for (unsigned at = 700; at < 1024; at++)
            cr_assert_eq(data[at], 0);
        memset(new, 7, sizeof new);
        cr_assert_eq(disk_write(block, SECTOR, new, SECTOR), 0);
        block_free(block);
        after = contents(f.image, &len);
        cr_assert_eq(len, 1024);
        cr_assert_arr_eq(after, before, SECTOR);
        cr_assert_arr_eq(after + SECTOR, new, SECTOR);
    }
}

Test(block_raw, a_file_whose_last_block_is_not_whole_is_not_written_past_the_cache)
{
    g_auto(Folder) f = folder_new(4096 + SECTOR);
    BlkRaw options = {.path = f.image, .cache = HOST_CACHE_NONE, .alignment = 4096};
    int fd = open(f.image, O_RDWR | O_DIRECT);
    uint8_t data[SECTOR], *before;
    size_t len;

    if (fd < 0)
        cr_skip_test("no O_DIRECT here");
    close(fd);
    refused(&options, FERRY_ERROR_UNSUPPORTED, "4608");
    options.read_only = true;
    g_autoptr(Block) block = disk_open(&options);
    cr_assert_eq(disk_read(block, 4096, data, SECTOR), 0);
    before = contents(f.image, &len);
    cr_assert_arr_eq(data, before + 4096, SECTOR);
    g_free(before);
}

Test(block_raw, an_empty_file_is_an_empty_disk)
{
    for (int snapshot = 0; snapshot < 2; snapshot++) {
        g_auto(Folder) f = folder_new(0);
        g_autoptr(Block) block = disk_open(&(BlkRaw){.path = f.image, .snapshot = snapshot});
        uint8_t data[SECTOR];

        cr_assert_eq(block_length(block), 0);
        cr_assert_eq(disk_read(block, 0, data, SECTOR), EIO);
        cr_assert_eq(disk_do(block, BLOCK_FLUSH, 0, NULL, 0), 0);
    }
}

/* --- engines ---------------------------------------------------------------------------------------------------- */

/* From now on this call of the process fails, if its sixth argument is , or that is -1. */
static void forbid(int call, int argument, int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
        BPF_JUMP(BPF_JMP | (argument < 0 ? BPF_JGE : BPF_JEQ) | BPF_K, (unsigned)MAX(argument, 0), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {G_N_ELEMENTS(filter), filter};

    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void without_uring(int error)
{
    g_auto(Folder) f = folder_new(MIB);
    DiskRig rig;

    forbid(SYS_io_uring_setup, -1, error);
    refused(&(BlkRaw){.path = f.image, .engine = HOST_ENGINE_URING}, FERRY_ERROR_UNSUPPORTED, g_strerror(error));
    Block *block = disk_open(&(BlkRaw){.path = f.image});
    cr_assert_eq(blk_raw_engine(block), HOST_ENGINE_THREADS);
    rig_start(&rig, block, 3);
    rig_run(&rig, 300);
    block_free(block);
    rig_stop(&rig);
}

Test(block_raw, where_the_kernel_has_no_io_uring_threads_do_it)
{
    without_uring(ENOSYS);
}

Test(block_raw, where_io_uring_is_forbidden_threads_do_it)
{
    without_uring(EPERM);
}

/* --- stable storage --------------------------------------------------------------------------------------------- */

/* A host on which all fails that would wait for stable storage. */
Test(block_raw, what_is_to_be_on_stable_storage_waits_for_it_and_nothing_else_does)
{
    static const struct {
        HostCache cache;
        bool snapshot;
        int write, through, flush;
    } cases[] = {
        {HOST_CACHE_WRITEBACK, false, 0, EUCLEAN, EREMOTEIO},
        {HOST_CACHE_WRITETHROUGH, false, EUCLEAN, EUCLEAN, EREMOTEIO},
        {HOST_CACHE_NONE, false, 0, EUCLEAN, EREMOTEIO},
        {HOST_CACHE_DIRECTSYNC, false, EUCLEAN, EUCLEAN, EREMOTEIO},
        {HOST_CACHE_UNSAFE, false, 0, 0, 0},
        {HOST_CACHE_WRITETHROUGH, true, 0, 0, 0},
    };
    uint8_t data[SECTOR] = {1};

    forbid(SYS_pwritev2, RWF_DSYNC, EUCLEAN);
    forbid(SYS_fdatasync, -1, EREMOTEIO);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(Folder) f = folder_new(MIB);
        g_autoptr(Block) block = blk_raw_open(
            &(BlkRaw){
                .path = f.image, .cache = cases[i].cache, .snapshot = cases[i].snapshot, .engine = HOST_ENGINE_THREADS},
            NULL);
        if (!block)
            continue; /* no O_DIRECT here */
        cr_assert_eq(disk_write(block, 0, data, SECTOR), cases[i].write, "case %u", i);
        cr_assert_eq(disk_do(block, BLOCK_WRITE_THROUGH, 0, data, SECTOR), cases[i].through, "case %u", i);
        cr_assert_eq(disk_do(block, BLOCK_WRITE_ZEROES, 0, NULL, MIB), cases[i].write ? cases[i].flush : 0, "case %u",
                     i);
        cr_assert_eq(disk_do(block, BLOCK_FLUSH, 0, NULL, 0), cases[i].flush, "case %u", i);
    }
}

/* --- locks ------------------------------------------------------------------------------------------------------ */

Test(block_raw, a_file_has_one_writer_or_many_readers)
{
    g_auto(Folder) f = folder_new(SECTOR);
    BlkRaw writer = {.path = f.image}, reader = {.path = f.image, .read_only = true};
    BlkRaw snapshot = {.path = f.image, .snapshot = true};
    BlkRaw shared = {.path = f.image, .shared = true};

    Block *first = disk_open(&writer);
    refused(&writer, FERRY_ERROR_REFUSED, "in use");
    refused(&reader, FERRY_ERROR_REFUSED, "in use");
    refused(&snapshot, FERRY_ERROR_REFUSED, "in use");
    block_free(disk_open(&shared));
    block_free(first);
    first = disk_open(&reader);
    refused(&writer, FERRY_ERROR_REFUSED, "in use");
    block_free(disk_open(&reader));
    block_free(disk_open(&snapshot));
    block_free(first);
    block_free(disk_open(&writer));
}

Test(block_raw, a_disk_that_is_inactive_is_free_for_others_until_it_is_active)
{
    g_auto(Folder) f = folder_new(SECTOR);
    BlkRaw writer = {.path = f.image}, waiting = {.path = f.image, .inactive = true};
    g_autoptr(GError) error = NULL;

    g_autoptr(Block) source = disk_open(&writer);
    g_autoptr(Block) destination = disk_open(&waiting);
    cr_assert(block_is_active(source) && !block_is_active(destination));
    cr_assert_not(block_set_active(destination, true, &error));
    cr_assert_not_null(strstr(error->message, "in use by another program"), "%s", error->message);
    cr_assert_not(block_is_active(destination));
    cr_assert(block_set_active(source, false, NULL));
    cr_assert(block_set_active(destination, true, NULL));
    refused(&writer, FERRY_ERROR_REFUSED, "in use");
    cr_assert_not(block_set_active(source, true, NULL));
    cr_assert(block_set_active(destination, false, NULL));
    cr_assert(block_set_active(source, true, NULL), "it comes back");
    refused(&writer, FERRY_ERROR_REFUSED, "in use");
}

static bool is_locked(const char *path, int octet)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = octet, .l_len = 1};
    int fd = open(path, O_RDONLY);

    cr_assert_eq(fcntl(fd, F_OFD_GETLK, &l), 0);
    close(fd);
    return l.l_type != F_UNLCK;
}

/* What QEMU 7.2 locks when it has the same open: /proc/locks. */
Test(block_raw, the_locks_are_those_of_qemu)
{
    static const struct {
        bool read_only, snapshot;
        int locked[4];
    } cases[] = {{false, false, {100, 101, 201}}, {true, false, {100, 201}}, {false, true, {100, 201, 203}}};

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(Folder) f = folder_new(SECTOR);
        g_autoptr(Block) block G_GNUC_UNUSED =
            disk_open(&(BlkRaw){.path = f.image, .read_only = cases[i].read_only, .snapshot = cases[i].snapshot});
        for (int octet = 90; octet < 220; octet++) {
            bool expected = false;
            for (int n = 0; n < 4; n++)
                expected = expected || cases[i].locked[n] == octet;
            cr_assert_eq(is_locked(f.image, octet), expected, "case %u, octet %d", i, octet);
        }
    }
}

/* --- room ------------------------------------------------------------------------------------------------------- */

static int64_t room(const char *path)
{
    struct stat status;

    cr_assert_eq(stat(path, &status), 0);
    return (int64_t)status.st_blocks * 512;
}

static bool has_holes(const char *path)
{
    int fd = open(path, O_RDWR);
    bool has = fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096) == 0;

    close(fd);
    return has;
}

static void take_room(BlockOp op, bool discard, bool frees)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(engines); i++) {
        g_auto(Folder) f = folder_new(4 * MIB);
        g_autofree uint8_t *data = g_malloc(MIB);
        bool holes = has_holes(f.image);
        g_autoptr(Block) block = disk_open(&(BlkRaw){.path = f.image, .engine = engines[i], .discard = discard});
        int64_t before;

        cr_assert_eq(block_can_discard(block), discard);
        cr_assert_eq(disk_do(block, BLOCK_FLUSH, 0, NULL, 0), 0);
        before = room(f.image);
        cr_assert_eq(disk_do(block, op, MIB, NULL, 2 * MIB), 0);
        cr_assert_eq(disk_do(block, BLOCK_FLUSH, 0, NULL, 0), 0);
        if (frees && holes)
            cr_assert_leq(room(f.image), before - 2 * MIB + 65536);
        else
            cr_assert_geq(room(f.image), before - 65536);
        cr_assert_eq(disk_read(block, 0, data, MIB), 0);
        cr_assert_neq(data[MIB - 1], 0);
        cr_assert_eq(disk_read(block, MIB, data, MIB), 0);
        for (unsigned at = 0; at < MIB; at++)
            cr_assert_eq(!data[at], op == BLOCK_WRITE_ZEROES || (frees && holes));
    }
}

Test(block_raw, a_discard_frees_room)
{
    take_room(BLOCK_DISCARD, true, true);
}

Test(block_raw, a_discard_that_is_ignored_changes_nothing)
{
    take_room(BLOCK_DISCARD, false, false);
}

Test(block_raw, zeros_free_room_where_discards_do)
{
    take_room(BLOCK_WRITE_ZEROES, true, true);
}

Test(block_raw, zeros_keep_the_room_where_discards_are_ignored)
{
    take_room(BLOCK_WRITE_ZEROES, false, false);
}

Test(block_raw, a_snapshot_is_in_no_folder_and_the_next_begins_anew)
{
    g_auto(Folder) f = folder_new(MIB);
    uint8_t data[SECTOR] = {1, 2, 3}, back[SECTOR];
    g_autoptr(GDir) dir = NULL;

    for (int round = 0; round < 2; round++) {
        g_autoptr(Block) block =
            disk_open(&(BlkRaw){.path = f.image, .snapshot = true, .snapshot_dir = f.path, .cache = HOST_CACHE_UNSAFE});
        cr_assert_not(block_read_only(block));
        cr_assert_eq(disk_read(block, 70000 / SECTOR * SECTOR, back, SECTOR), 0);
        cr_assert_neq(memcmp(back, data, SECTOR), 0);
        cr_assert_eq(disk_write(block, 70000 / SECTOR * SECTOR, data, SECTOR), 0);
        cr_assert_eq(disk_read(block, 70000 / SECTOR * SECTOR, back, SECTOR), 0);
        cr_assert_arr_eq(back, data, SECTOR);
        g_clear_pointer(&dir, g_dir_close);
        dir = g_dir_open(f.path, 0, NULL);
        cr_assert_str_eq(g_dir_read_name(dir), "image");
        cr_assert_null(g_dir_read_name(dir));
    }
}

/* --- files that fail -------------------------------------------------------------------------------------------- */

/* A file in memory that can be opened for writing, but not written (fcntl(2), F_SEAL_WRITE). */
static char *sealed_file(int *fd, size_t len)
{
    *fd = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    cr_assert_geq(*fd, 0);
    cr_assert_eq(ftruncate(*fd, (off_t)len), 0);
    cr_assert_eq(fcntl(*fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    return g_strdup_printf("/proc/self/fd/%d", *fd);
}

Test(block_raw, what_the_host_does_not_write_is_an_error_and_the_next_request_is_served)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(engines); i++) {
        int fd;
        g_autofree char *path = sealed_file(&fd, MIB);
        g_autoptr(Block) block = disk_open(&(BlkRaw){.path = path, .engine = engines[i], .discard = true});
        uint8_t data[SECTOR] = {1};

        cr_assert_eq(disk_write(block, 0, data, SECTOR), EPERM);
        cr_assert_eq(disk_do(block, BLOCK_WRITE_THROUGH, 0, data, SECTOR), EPERM);
        cr_assert_eq(disk_do(block, BLOCK_WRITE_ZEROES, 0, NULL, SECTOR), EPERM);
        cr_assert_eq(disk_do(block, BLOCK_DISCARD, 0, NULL, 65536), EPERM);
        cr_assert_eq(disk_read(block, 0, data, SECTOR), 0);
        cr_assert_eq(data[0], 0);
        close(fd);
    }
}

Test(block_raw, a_file_that_cannot_be_written_has_snapshots)
{
    int fd;
    g_autofree char *path = sealed_file(&fd, MIB);
    Block *block = disk_open(&(BlkRaw){.path = path, .snapshot = true});
    DiskRig rig;

    rig_start(&rig, block, 5);
    rig_run(&rig, 500);
    block_free(block);
    rig_stop(&rig);
    close(fd);
}

/* The limit of a process on files makes a write short first, and then an error (write(2), EFBIG). */
Test(block_raw, a_write_that_is_cut_short_is_continued_until_it_fails)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(engines); i++) {
        g_auto(Folder) f = folder_new(MIB);
        g_autofree uint8_t *data = g_malloc(65536), *after = NULL;
        struct rlimit old, limit;
        g_autoptr(Block) block = disk_open(&(BlkRaw){.path = f.image, .engine = engines[i]});
        size_t len;

        signal(SIGXFSZ, SIG_IGN);
        memset(data, 0, 65536);
        getrlimit(RLIMIT_FSIZE, &old);
        limit = (struct rlimit){512 * 1024 + 4096, old.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
        cr_assert_eq(disk_write(block, 512 * 1024, data, 65536), EFBIG);
        cr_assert_eq(disk_write(block, 512 * 1024 - 65536, data, 65536), 0);
        setrlimit(RLIMIT_FSIZE, &old);
        after = contents(f.image, &len);
        cr_assert_eq(len, MIB);
        for (unsigned at = 512 * 1024 - 65536; at < 512 * 1024 + 65536; at++)
            cr_assert_eq(!after[at], at < 512 * 1024 + 4096, "octet %u", at);
    }
}

/* Nothing of the cluster is in the snapshot then: what the file has there stays visible. */
Test(block_raw, a_snapshot_without_room_fails_and_shows_what_the_file_has)
{
    g_auto(Folder) f = folder_new(MIB);
    g_autofree uint8_t *data = g_malloc0(2 * 65536), *before = NULL;
    g_autoptr(Block) block = disk_open(&(BlkRaw){.path = f.image, .snapshot = true});
    struct rlimit old, limit;
    size_t len;

    signal(SIGXFSZ, SIG_IGN);
    before = contents(f.image, &len);
    getrlimit(RLIMIT_FSIZE, &old);
    limit = (struct rlimit){256 * 1024 + 4096, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    cr_assert_eq(disk_write(block, 256 * 1024, data, SECTOR), EFBIG);
    cr_assert_eq(disk_write(block, 256 * 1024, data, 65536), EFBIG);
    cr_assert_eq(disk_read(block, 256 * 1024, data, 65536), 0);
    cr_assert_arr_eq(data, before + 256 * 1024, 65536);
    setrlimit(RLIMIT_FSIZE, &old);
    memset(data, 9, SECTOR);
    cr_assert_eq(disk_write(block, 256 * 1024, data, SECTOR), 0);
    cr_assert_eq(disk_read(block, 256 * 1024, data, 65536), 0);
    cr_assert_eq(data[SECTOR - 1], 9);
    cr_assert_arr_eq(data + SECTOR, before + 256 * 1024 + SECTOR, 65536 - SECTOR);
}

Test(block_raw, a_file_that_has_become_shorter_reads_as_zeros)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(engines); i++) {
        g_auto(Folder) f = folder_new(MIB);
        g_autoptr(Block) block = disk_open(&(BlkRaw){.path = f.image, .engine = engines[i]});
        uint8_t data[4 * SECTOR];

        cr_assert_eq(truncate(f.image, 1000), 0);
        memset(data, 1, sizeof data);
        cr_assert_eq(disk_read(block, 0, data, sizeof data), 0);
        cr_assert_neq(data[999], 0);
        for (unsigned at = 1000; at < sizeof data; at++)
            cr_assert_eq(data[at], 0);
    }
}

/* --- the disk in memory ----------------------------------------------------------------------------------------- */

Test(block_memory, the_nth_request_fails_and_does_nothing)
{
    g_autoptr(Block) block = blk_memory_new(&(BlkMemory){.length = MIB}, NULL);
    uint8_t data[SECTOR] = {1}, two[SECTOR] = {2};

    blk_memory_fail(block, 1, ENOSPC);
    blk_memory_fail(block, 3, EIO);
    cr_assert_eq(disk_write(block, 0, data, SECTOR), 0);
    cr_assert_eq(disk_write(block, 0, two, SECTOR), ENOSPC);
    cr_assert_eq(blk_memory_data(block)[0], 1);
    cr_assert_eq(disk_write(block, SECTOR, two, SECTOR), 0);
    cr_assert_eq(disk_do(block, BLOCK_FLUSH, 0, NULL, 0), EIO);
    cr_assert_eq(disk_do(block, BLOCK_FLUSH, 0, NULL, 0), 0);
    cr_assert_eq(blk_memory_count(block, BLOCK_WRITE), 3);
    cr_assert_eq(blk_memory_count(block, BLOCK_FLUSH), 2);
    cr_assert_eq(blk_memory_count(block, BLOCK_READ), 0);
}

static void submit_held(Block *block, BlockOp op, struct iovec *v, Ending *e)
{
    unsigned before = blk_memory_held(block);

    block_submit(block, &(BlockRequest){.op = op, .iov = v, .iov_count = 1, .done = ended, .opaque = e});
    while (blk_memory_held(block) == before)
        g_main_context_iteration(NULL, TRUE);
}

Test(block_memory, requests_that_are_held_end_in_the_order_of_their_release)
{
    g_autoptr(Block) block = blk_memory_new(&(BlkMemory){.length = MIB}, NULL);
    uint8_t data[3][SECTOR] = {{1}, {2}, {0}};
    struct iovec v[3] = {{data[0], SECTOR}, {data[1], SECTOR}, {data[2], SECTOR}};
    Ending e[3] = {0};

    blk_memory_hold(block, true);
    submit_held(block, BLOCK_WRITE, &v[0], &e[0]);
    submit_held(block, BLOCK_WRITE, &v[1], &e[1]);
    submit_held(block, BLOCK_READ, &v[2], &e[2]);
    cr_assert_eq(blk_memory_request(block, 2)->op, BLOCK_READ);
    cr_assert_null(blk_memory_request(block, 3));
    blk_memory_release(block, 1);
    cr_assert_eq(blk_memory_held(block), 2);
    while (!e[1].calls)
        g_main_context_iteration(NULL, TRUE);
    cr_assert_eq(e[0].calls + e[2].calls, 0);
    blk_memory_release(block, 1);
    while (!e[2].calls)
        g_main_context_iteration(NULL, TRUE);
    cr_assert_eq(data[2][0], 2, "it reads what was there when it was released");
    block_drain(block);
    cr_assert_eq(e[0].calls, 1, "drain does what is held");
    cr_assert_eq(blk_memory_data(block)[0], 1);
    blk_memory_hold(block, false);
    cr_assert_eq(disk_read(block, 0, data[2], SECTOR), 0);
}
