/* test-options-disks.c: -drive and its short forms, -blockdev, -object. What QEMU does with places was tried on
 * QEMU 7.2. */
#include "tests/emu/support/options-rig.h"

static const QmpDriveOptions *drive(const Options *o, guint n)
{
    cr_assert_lt(n, o->drives->len);
    return g_ptr_array_index(o->drives, n);
}

static void assert_place(const Options *o, guint n, uint32_t bus, uint32_t unit)
{
    const QmpDriveOptions *d = drive(o, n);

    cr_assert(d->bus == bus && d->unit == unit, "drive %u is at bus %u, unit %u", n, d->bus, d->unit);
}

/* --- -drive ----------------------------------------------------------------------------------------------------- */

Test(options, a_drive_is_an_ide_disk_unless_it_is_said_otherwise)
{
    g_autoptr(Options) o = PARSE("-drive", "file=a,,b.img");
    const QmpDriveOptions *d = drive(o, 0);

    cr_assert_str_eq(options_drive_file(d), "a,b.img");
    cr_assert_eq(d->q_if, QMP_DRIVE_INTERFACE_IDE);
    cr_assert_eq(d->format, QMP_DRIVE_FORMAT_AUTO);
    cr_assert_eq(d->cache, QMP_DRIVE_CACHE_WRITEBACK);
    cr_assert_eq(d->werror, QMP_DRIVE_ON_ERROR_AUTO);
    cr_assert(!d->readonly && !d->snapshot && d->media == 0 && d->aio == 0 && d->discard == 0 && d->detect_zeroes == 0);
    assert_place(o, 0, 0, 0);
}

Test(options, a_drive_has_all_that_is_said)
{
    g_autoptr(Options) o = PARSE("-drive", "if=virtio,file=x,format=qcow2,cache=none,aio=io_uring,discard=unmap,id=a,"
                                           "detect-zeroes=unmap,werror=stop,rerror=ignore,readonly,snapshot=on");
    const QmpDriveOptions *d = drive(o, 0);

    cr_assert_eq(d->q_if, QMP_DRIVE_INTERFACE_VIRTIO);
    cr_assert_eq(d->format, QMP_DRIVE_FORMAT_QCOW2);
    cr_assert_eq(d->cache, QMP_DRIVE_CACHE_NONE);
    cr_assert_eq(d->aio, 2);
    cr_assert_eq(d->discard, 1);
    cr_assert_eq(d->detect_zeroes, 2);
    cr_assert_eq(d->werror, QMP_DRIVE_ON_ERROR_STOP);
    cr_assert_eq(d->rerror, QMP_DRIVE_ON_ERROR_IGNORE);
    cr_assert(d->readonly && d->snapshot);
    cr_assert_str_eq(d->id, "a");
    g_autoptr(Options) other = PARSE("-drive", "if=none,read-only=on");
    cr_assert(drive(other, 0)->readonly);
}

Test(options, the_file_of_a_drive_has_keys_of_its_own)
{
    g_autoptr(Options) o = PARSE("-drive", "file.locking=off,id=a,file=x,,file=y", "-drive",
                                 "file.filename=z,,file.locking=on,file.locking=on", "-drive", "file=file.locking=off");

    cr_assert_str_eq(options_drive_file(drive(o, 0)), "x,file=y");
    cr_assert_str_eq(drive(o, 0)->id, "a");
    cr_assert_eq(drive(o, 0)->file->u.options->locking, QMP_ON_OFF_AUTO_OFF);
    cr_assert_str_eq(options_drive_file(drive(o, 1)), "z,file.locking=on");
    cr_assert_eq(drive(o, 1)->file->u.options->locking, QMP_ON_OFF_AUTO_ON);
    cr_assert_str_eq(options_drive_file(drive(o, 2)), "file.locking=off");
    cr_assert_eq(drive(o, 2)->file->kind, QMP_DRIVE_FILE_KIND_NAME);
    g_autoptr(Options) implied = PARSE("-drive", "x,file.locking=off");
    cr_assert_str_eq(options_drive_file(drive(implied, 0)), "x");
    REFUSE("-drive.file: unknown key 'lock' (accepted: filename, locking)", "-drive", "file=x,file.lock=off");
    REFUSE("-drive.file: the key 'filename' is missing", "-drive", "file.locking=off");
}

Test(options, on_and_off_are_other_words_for_discarding)
{
    g_autoptr(Options) o = PARSE("-drive", "discard=on", "-drive", "discard=off", "-drive", "discard=ignore");

    cr_assert_eq(drive(o, 0)->discard, 1);
    cr_assert_eq(drive(o, 1)->discard, 0);
    cr_assert_eq(drive(o, 2)->discard, 0);
}

Test(options, drives_without_a_place_get_the_next_one)
{
    g_autoptr(Options) o = PARSE("-drive", "index=1", "-drive", "file=a", "-drive", "file=b", "-drive", "bus=1,unit=1",
                                 "-drive", "if=virtio", "-drive", "if=virtio", "-drive", "if=floppy", "-drive",
                                 "if=floppy,unit=1", "-drive", "if=none,id=x");

    assert_place(o, 0, 0, 1);
    assert_place(o, 1, 0, 0);
    assert_place(o, 2, 1, 0);
    assert_place(o, 3, 1, 1);
    assert_place(o, 4, 0, 0);
    assert_place(o, 5, 0, 1);
    assert_place(o, 6, 0, 0);
    assert_place(o, 7, 0, 1);
    cr_assert_eq(drive(o, 3)->index, 3);
}

Test(options, short_forms_have_fixed_places)
{
    g_autoptr(Options) o =
        PARSE("-hdb", "b=1,c", "-cdrom", "cd.iso", "-hdd", "d", "first.img", "-fda", "f", "-fdb", "g");

    cr_assert_str_eq(options_drive_file(drive(o, 0)), "b=1,c");
    assert_place(o, 0, 0, 1);
    cr_assert_str_eq(options_drive_file(drive(o, 1)), "cd.iso");
    cr_assert(drive(o, 1)->media == 1 && drive(o, 1)->readonly);
    assert_place(o, 1, 1, 0);
    assert_place(o, 2, 1, 1);
    cr_assert_str_eq(options_drive_file(drive(o, 3)), "first.img");
    assert_place(o, 3, 0, 0);
    cr_assert_eq(drive(o, 4)->q_if, QMP_DRIVE_INTERFACE_FLOPPY);
    assert_place(o, 5, 0, 1);
}

Test(options, two_drives_cannot_be_in_one_place)
{
    REFUSE("-drive (b): there is a drive with bus 0, unit 0 already: a", "a", "b");
    REFUSE("-drive: there is a drive with bus 0, unit 0 already: a", "-hda", "a", "-drive", "index=0");
    REFUSE("-drive (a): there is a drive with bus 1, unit 0 already: an empty one", "-drive", "index=2", "-cdrom", "a");
    REFUSE("-drive: a drive's place is its index, or its bus and unit, not both", "-drive", "index=1,unit=0");
    REFUSE("-drive: unit 2 is not there (accepted: 0 to 1)", "-drive", "unit=2");
    REFUSE("-drive: IDE has no drive with bus 4, unit 1", "-drive", "index=9");
    REFUSE("-drive: IDE has no drive with bus 4294967295, unit 0", "-drive", "bus=4294967295");
    REFUSE("-drive: the floppy controller has no drive with bus 0, unit 5", "-drive", "if=floppy,index=5");
    REFUSE("-drive: virtio has no drive with bus 1, unit 0", "-drive", "if=virtio,bus=1");
    REFUSE("-drive (e): IDE has no drive with bus 2, unit 0", "-hda", "a", "-hdb", "b", "-hdc", "c", "-hdd", "d",
           "-drive", "file=e");
}

/* --- -blockdev -------------------------------------------------------------------------------------------------- */

static void assert_blockdev(const Options *o)
{
    const QmpBlockdevOptions *b = o->said->blockdev.items[0], *file;

    cr_assert_eq(b->driver, QMP_BLOCKDEV_DRIVER_QCOW2);
    cr_assert_str_eq(b->node_name, "disk0");
    cr_assert(b->read_only && b->cache->direct && !b->cache->has_no_flush);
    cr_assert_eq(b->discard, QMP_BLOCKDEV_DISCARD_OPTIONS_UNMAP);
    cr_assert_eq(b->u.qcow2->file->kind, QMP_BLOCKDEV_REF_KIND_DEFINITION);
    file = b->u.qcow2->file->u.definition;
    cr_assert_eq(file->driver, QMP_BLOCKDEV_DRIVER_FILE);
    cr_assert_str_eq(file->u.file->filename, "a,b.qcow2");
    cr_assert_eq(file->u.file->aio, QMP_BLOCKDEV_AIO_OPTIONS_NATIVE);
    cr_assert_eq(file->u.file->locking, QMP_ON_OFF_AUTO_OFF);
    cr_assert(file->cache->no_flush && file->auto_read_only);
}

Test(options, a_node_is_the_same_as_keys_and_as_json)
{
    g_autoptr(Options) keys =
        PARSE("-blockdev", "qcow2,node-name=disk0,read-only=on,cache.direct=on,discard=unmap,file.driver=file,"
                           "file.filename=a,,b.qcow2,file.aio=native,file.locking=off,file.cache.no-flush=on,"
                           "file.auto-read-only=on");
    g_autoptr(Options) json =
        PARSE("-blockdev",
              "{\"driver\":\"qcow2\",\"node-name\":\"disk0\",\"read-only\":true,\"cache\":{\"direct\":true},"
              "\"discard\":\"unmap\",\"file\":{\"driver\":\"file\",\"filename\":\"a,b.qcow2\",\"aio\":\"native\","
              "\"locking\":\"off\",\"cache\":{\"no-flush\":true},\"auto-read-only\":true}}");

    assert_blockdev(keys);
    assert_blockdev(json);
}

Test(options, a_node_may_name_the_one_below_it)
{
    g_autoptr(Options) o =
        PARSE("-blockdev", "driver=file,filename=x,node-name=f", "-blockdev", "driver=raw,node-name=r,file=f",
              "-blockdev", "driver=qcow2,node-name=q,file=f,backing=r", "-blockdev",
              "{\"driver\":\"raw\",\"node-name\":\"s\",\"file\":\"q\"}");
    const QmpBlockdevOptions *const *all = (const QmpBlockdevOptions *const *)o->said->blockdev.items;

    cr_assert_eq(o->said->blockdev.count, 4);
    cr_assert_str_eq(all[0]->u.file->filename, "x");
    cr_assert_str_eq(all[2]->u.qcow2->file->u.reference, "f");
    cr_assert_str_eq(all[2]->u.qcow2->backing->u.reference, "r");
    cr_assert_str_eq(all[3]->u.raw->file->u.reference, "q");
}

Test(options, what_is_wrong_with_a_node_is_said)
{
    REFUSE("-blockdev.node-name: the key is missing: a node that others are to find needs one", "-blockdev",
           "driver=file,filename=x");
    REFUSE("-blockdev: the key 'file' is missing", "-blockdev", "raw,node-name=a");
    REFUSE("-blockdev: the key 'filename' is missing", "-blockdev", "file,node-name=a");
    REFUSE("-blockdev: unknown key 'filename' (accepted: auto-read-only, cache, detect-zeroes, discard, driver, file, "
           "force-share, node-name, read-only)",
           "-blockdev", "raw,node-name=a,filename=x,file=b");
    REFUSE("-blockdev.file: the key 'filename' is missing", "-blockdev",
           "raw,node-name=a,file.driver=file,file.node-name=b");
    REFUSE("-blockdev.file: the key 'driver' is missing (accepted: file, host_device, raw, qcow2)", "-blockdev",
           "raw,node-name=a,file.filename=x");
    REFUSE("-blockdev: unknown key 'file' (accepted: aio, auto-read-only, cache, detect-zeroes, "
           "discard, driver, filename, force-share, locking, node-name, read-only)",
           "-blockdev", "file,node-name=a,filename=x,file=b");
    REFUSE("-blockdev: unknown key 'backing' (accepted: auto-read-only, cache, detect-zeroes, discard, driver, file, "
           "force-share, node-name, read-only)",
           "-blockdev",
           "raw,node-name=a,file.driver=file,file.filename=x,"
           "backing=b");
    REFUSE("-blockdev.file: unknown blockdev 'y' (accepted: x)", "-blockdev", "file,node-name=x,filename=f",
           "-blockdev", "raw,node-name=a,file=y");
    REFUSE("-blockdev.file: unknown blockdev 'x' (there is no -blockdev)", "-blockdev", "raw,node-name=a,file=x");
    REFUSE("-blockdev.node-name: 'a' is there twice", "-drive", "id=a,if=none", "-blockdev",
           "file,node-name=a,filename=f");
    REFUSE("-blockdev.file.locking: unknown value 'offf'; did you mean 'off'? (accepted: auto, on, off)", "-blockdev",
           "raw,node-name=a,file.driver=file,file.filename=x,file.locking=offf");
    REFUSE("-blockdev.driver: unknown value 'vdi' (accepted: file, host_device, raw, qcow2)", "-blockdev",
           "vdi,node-name=a");
    REFUSE("-blockdev.cache.direct: a truth value is wanted here, not a string", "-blockdev",
           "{\"driver\":\"file\",\"node-name\":\"a\",\"filename\":\"x\",\"cache\":{\"direct\":\"on\"}}");
}

/* --- -object ---------------------------------------------------------------------------------------------------- */

Test(options, objects_are_memory_and_randomness)
{
    g_autoptr(Options) o = PARSE(
        "-object", "{\"qom-type\":\"memory-backend-ram\",\"id\":\"pc.ram\",\"size\":1073741824}", "-machine",
        "pc,memory-backend=pc.ram", "-object", "memory-backend-memfd,id=m,size=1G,hugetlb=on,hugetlbsize=2M,share=on",
        "-object", "memory-backend-file,id=f,size=64M,mem-path=/m,prealloc=on", "-object",
        "rng-random,id=r,filename=/u", "-object", "rng-builtin,id=b", "-object", "iothread,id=t");
    const OptionsObject *ram = g_ptr_array_index(o->objects, 0), *memfd = g_ptr_array_index(o->objects, 1),
                        *file = g_ptr_array_index(o->objects, 2), *random = g_ptr_array_index(o->objects, 3);

    cr_assert_eq(ram->type, QMP_OBJECT_TYPE_MEMORY_BACKEND_RAM);
    cr_assert_eq(ram->size, 1 << 30);
    cr_assert(ram->merge && ram->dump && !ram->share && !ram->prealloc);
    cr_assert_str_eq(o->machine.memory_backend, "pc.ram");
    cr_assert_eq(memfd->type, QMP_OBJECT_TYPE_MEMORY_BACKEND_MEMFD);
    cr_assert(memfd->hugetlb && memfd->share);
    cr_assert_eq(memfd->hugetlbsize, 2 << 20);
    cr_assert_eq(file->type, QMP_OBJECT_TYPE_MEMORY_BACKEND_FILE);
    cr_assert_str_eq(file->path, "/m");
    cr_assert(file->prealloc);
    cr_assert_eq(random->type, QMP_OBJECT_TYPE_RNG_RANDOM);
    cr_assert_str_eq(random->path, "/u");
    cr_assert_eq(((OptionsObject *)g_ptr_array_index(o->objects, 4))->type, QMP_OBJECT_TYPE_RNG_BUILTIN);
    cr_assert_eq(((OptionsObject *)g_ptr_array_index(o->objects, 5))->type, QMP_OBJECT_TYPE_IOTHREAD);
}

Test(options, what_is_wrong_with_an_object_is_said)
{
    REFUSE("-object: the key 'size' is missing", "-object", "memory-backend-ram,id=a");
    REFUSE("-object.size: memory of no octets is none", "-object", "memory-backend-ram,id=a,size=0");
    REFUSE("-object: the key 'id' is missing", "-object", "iothread");
    REFUSE("-object.id: 'a' is there twice", "-object", "iothread,id=a", "-object", "iothread,id=a");
    REFUSE("-object.qom-type: unknown value 'iothraed'; did you mean 'iothread'? (accepted: iothread, "
           "memory-backend-file, memory-backend-memfd, memory-backend-ram, rng-builtin, rng-random, secret)",
           "-object", "iothraed,id=a");
    REFUSE("-machine.memory-backend: unknown object 'b' (accepted: a)", "-machine", "pc,memory-backend=b", "-object",
           "memory-backend-ram,id=a,size=1M");
    REFUSE("-machine.memory-backend: 'a' is of type iothread, which is no memory", "-machine", "pc,memory-backend=a",
           "-object", "iothread,id=a");
}
