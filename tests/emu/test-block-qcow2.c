/* test-block-qcow2.c: disks that are qcow2 images, against a shadow. The format itself: tests/qcow2/. */
#include "emu/block/blk-qcow2.h"
#include "qcow2/qcow2.h"
#include "tests/emu/support/disk-rig.h"

#define REQUESTS 2000
#define LENGTH   (5u * 1024 * 1024 - 4096)

static void make(const char *path, const Qcow2Create *options)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HostFile) file = host_file_open(&(HostFilePosix){.path = path, .create = true}, &error);

    cr_assert_not_null(file, "%s", error ? error->message : "");
    cr_assert(qcow2_create(file, NULL, options, &error), "%s", error ? error->message : "");
}

static Block *opened(const BlkRaw *options)
{
    g_autoptr(GError) error = NULL;
    Block *block = blk_qcow2_open(options, &error);

    cr_assert_not_null(block, "%s", error ? error->message : "no message");
    return block;
}

static void refused(const BlkRaw *options, const char *says)
{
    g_autoptr(GError) error = NULL;

    cr_assert_null(blk_qcow2_open(options, &error));
    cr_assert_not_null(strstr(error->message, says), "%s", error->message);
}

static void assert_same(const char *path, const DiskRig *rig)
{
    g_autoptr(Image) image = image_open(&(ImagePath){.path = path, .format = "qcow2", .read_only = true}, NULL);
    g_autofree uint8_t *data = g_malloc(LENGTH);

    cr_assert(image_read(image, 0, data, LENGTH, NULL));
    check_read((DiskRig *)rig, 0, data, LENGTH);
}

static void hold_against_shadow(BlkRaw options)
{
    g_auto(Folder) f = folder_new(0);
    DiskRig rig;

    make(f.image, &(Qcow2Create){.size = LENGTH, .cluster_size = 16384});
    options.path = f.image;
    Block *block = opened(&options);
    cr_assert_eq(block_length(block), LENGTH);
    rig_start(&rig, block, 1 + options.cache);
    rig_run(&rig, REQUESTS);
    block_free(block);
    if (!options.snapshot)
        assert_same(f.image, &rig);
    rig_stop(&rig);
}

Test(block_qcow2, what_is_written_is_read_with_the_host_s_cache)
{
    hold_against_shadow((BlkRaw){.cache = HOST_CACHE_WRITEBACK, .discard = true});
    hold_against_shadow((BlkRaw){.cache = HOST_CACHE_WRITETHROUGH, .engine = HOST_ENGINE_THREADS});
    hold_against_shadow((BlkRaw){.cache = HOST_CACHE_UNSAFE});
}

Test(block_qcow2, what_is_written_is_read_without_the_host_s_cache)
{
    g_auto(Folder) f = folder_new(4096);
    int fd = open(f.image, O_RDWR | O_DIRECT);

    if (fd < 0)
        cr_skip_test("no O_DIRECT here");
    close(fd);
    hold_against_shadow((BlkRaw){.cache = HOST_CACHE_NONE, .discard = true});
    hold_against_shadow((BlkRaw){.cache = HOST_CACHE_DIRECTSYNC});
}

Test(block_qcow2, a_snapshot_leaves_the_image_as_it_was)
{
    g_auto(Folder) f = folder_new(0);
    g_autofree char *before = NULL, *after = NULL;
    size_t len_before, len_after;
    DiskRig rig;

    make(f.image, &(Qcow2Create){.size = LENGTH});
    Block *block = opened(&(BlkRaw){.path = f.image});
    cr_assert_eq(disk_write(block, 65536, "0123456789abcdef", 0), 0);
    block_free(block);
    cr_assert(g_file_get_contents(f.image, &before, &len_before, NULL));
    block = opened(&(BlkRaw){.path = f.image, .snapshot = true, .discard = true});
    cr_assert_not(block_read_only(block));
    rig_start(&rig, block, 7);
    rig_run(&rig, REQUESTS);
    block_free(block);
    rig_stop(&rig);
    cr_assert(g_file_get_contents(f.image, &after, &len_after, NULL));
    cr_assert_eq(len_before, len_after);
    cr_assert_eq(memcmp(before, after, len_before), 0);
}

Test(block_qcow2, an_image_has_one_writer)
{
    g_auto(Folder) f = folder_new(0);
    BlkRaw writer = {.path = f.image}, reader = {.path = f.image, .read_only = true};

    make(f.image, &(Qcow2Create){.size = LENGTH});
    Block *block = opened(&writer);
    refused(&writer, "in use by another program");
    refused(&reader, "in use by another program");
    block_free(block);
}

Test(block_qcow2, a_disk_that_becomes_active_has_what_the_other_one_wrote)
{
    g_auto(Folder) f = folder_new(0);
    uint8_t data[SECTOR], back[SECTOR];

    make(f.image, &(Qcow2Create){.size = LENGTH, .lazy_refcounts = true});
    memset(data, 0x5a, sizeof data);
    g_autoptr(Block) source = opened(&(BlkRaw){.path = f.image});
    g_autoptr(Block) destination = opened(&(BlkRaw){.path = f.image, .inactive = true});
    cr_assert_eq(disk_write(source, 3 * SECTOR, data, SECTOR), 0);
    cr_assert_not(block_set_active(destination, true, NULL));
    cr_assert(block_set_active(source, false, NULL));
    cr_assert(block_set_active(destination, true, NULL));
    cr_assert_eq(disk_read(destination, 3 * SECTOR, back, SECTOR), 0);
    cr_assert_arr_eq(back, data, SECTOR);
    data[0] = 0x33;
    cr_assert_eq(disk_write(destination, LENGTH - SECTOR, data, SECTOR), 0);
    cr_assert(block_set_active(destination, false, NULL));
    cr_assert(block_set_active(source, true, NULL));
    cr_assert_eq(disk_read(source, LENGTH - SECTOR, back, SECTOR), 0);
    cr_assert_arr_eq(back, data, SECTOR);
}

Test(block_qcow2, what_names_other_files_is_told_from_what_does_not)
{
    g_auto(Folder) f = folder_new(SECTOR);
    bool names;

    cr_assert_not(blk_qcow2_probe(f.image, &names));
    make(f.image, &(Qcow2Create){.size = LENGTH});
    cr_assert(blk_qcow2_probe(f.image, &names) && !names);
    make(f.image, &(Qcow2Create){.size = LENGTH, .backing = "other", .backing_format = "raw"});
    cr_assert(blk_qcow2_probe(f.image, &names) && names);
}

Test(block_qcow2, a_backing_file_is_opened_only_if_its_format_is_told)
{
    g_auto(Folder) f = folder_new(LENGTH);
    g_autofree char *front = g_build_filename(f.path, "front", NULL);
    uint8_t data[SECTOR], back[SECTOR];

    make(front, &(Qcow2Create){.size = LENGTH, .backing = "image"});
    refused(&(BlkRaw){.path = front}, "does not say which format its backing file 'image' has");
    make(front, &(Qcow2Create){.size = LENGTH, .backing = "image", .backing_format = "raw"});
    Block *block = opened(&(BlkRaw){.path = front});
    Block *other = disk_open(&(BlkRaw){.path = f.image, .read_only = true});
    cr_assert_eq(disk_read(block, 9 * SECTOR, back, SECTOR), 0);
    cr_assert_eq(disk_read(other, 9 * SECTOR, data, SECTOR), 0);
    cr_assert_arr_eq(back, data, SECTOR);
    block_free(block);
    block_free(other);
    g_unlink(front);
}
