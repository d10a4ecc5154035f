"""damage.py: qcow2 images of qemu-img, and what can be wrong with one.

bases() are kinds of images, DAMAGES what is done to one of them, octet by octet, by its place in the format's specification.
"""
import os, struct, subprocess

COPIED, COMPRESSED = 1 << 63, 1 << 62
OFFSET = 0x00FFFFFFFFFFFE00


def run(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stdout}")
    return done.stdout


class Qcow2:
    """An image that is taken apart, and changed."""

    def __init__(self, path):
        self.file = open(path, "r+b")
        head = self.get(0, 104)
        self.version, self.bits = struct.unpack_from(">I", head, 4)[0], struct.unpack_from(">I", head, 20)[0]
        self.size = struct.unpack_from(">Q", head, 24)[0]
        self.l1_size, self.l1, self.table = struct.unpack_from(">IQQ", head, 36)
        self.snapshots, self.snapshot_table = struct.unpack_from(">IQ", head, 60)
        self.features = struct.unpack_from(">Q", head, 72)[0] if self.version > 2 else 0
        self.order = struct.unpack_from(">I", head, 96)[0] if self.version > 2 else 4
        self.cluster = 1 << self.bits
        self.entry = 16 if self.features & 16 else 8
        self.l2_bits = self.bits - (4 if self.features & 16 else 3)

    def get(self, offset, count):
        self.file.seek(offset)
        return self.file.read(count).ljust(count, b"\0")

    def put(self, offset, data):
        self.file.seek(offset)
        self.file.write(data)
        self.file.flush()

    def u64(self, offset):
        return struct.unpack(">Q", self.get(offset, 8))[0]

    def put_u64(self, offset, value):
        self.put(offset, struct.pack(">Q", value))

    def u32(self, offset):
        return struct.unpack(">I", self.get(offset, 4))[0]

    def put_u32(self, offset, value):
        self.put(offset, struct.pack(">I", value))

    @property
    def length(self):
        return os.fstat(self.file.fileno()).st_size

    # where an entry is: of the L1 table, of the L2 table below it
    def at_l1(self, index=0):
        return self.l1 + 8 * index

    def at_l2(self, guest=0):
        l2 = self.u64(self.at_l1(guest >> (self.bits + self.l2_bits))) & OFFSET
        assert l2
        return l2 + self.entry * ((guest >> self.bits) & ((1 << self.l2_bits) - 1))

    def host(self, guest=0):
        return self.u64(self.at_l2(guest)) & OFFSET

    def at_table(self, index=0):
        return self.table + 8 * index

    def block(self, index=0):
        return self.u64(self.at_table(index)) & ~0x1FF

    def refcount(self, offset, value=None):
        """That of the cluster there; sets it."""
        cluster, width = offset >> self.bits, 1 << self.order
        per = self.cluster * 8 // width
        block, bit = self.block(cluster // per), cluster % per * width
        at, shift = block + bit // 8, bit % 8
        if width < 8:
            octet = self.get(at, 1)[0]
            if value is None:
                return octet >> shift & ((1 << width) - 1)
            octet = octet & ~(((1 << width) - 1) << shift) | value << shift
            return self.put(at, bytes([octet]))
        if value is None:
            return int.from_bytes(self.get(at, width // 8), "big")
        return self.put(at, value.to_bytes(width // 8, "big"))

    def snapshot(self, number=0):
        """Where an entry of the snapshot table is."""
        at = self.snapshot_table
        for _ in range(number):
            ident, name = struct.unpack(">HH", self.get(at + 12, 4))
            at = (at + 40 + self.u32(at + 36) + ident + name + 7) & ~7
        return at

    def extension(self, kind):
        at = self.u32(100) if self.version > 2 else 72
        while True:
            found, size = struct.unpack(">II", self.get(at, 8))
            if found == kind:
                return at + 8
            assert found
            at += 8 + (size + 7 & ~7)

    def bitmap_directory(self):
        return self.u64(self.extension(0x23852875) + 16)

    def bitmap_table(self):
        return self.u64(self.bitmap_directory())

    def close(self):
        self.file.close()


# --- images ----------------------------------------------------------------------------------------------------------

WRITES = ["write -P 1 0 1M", "write -P 2 2M 64k", "write -z 3M 64k", "write -P 3 40M 300k", "write -P 4 63M 1M"]
STATE = 4 << 20


def io(path, *commands):
    words = [word for command in commands for word in ("-c", command)]
    run("qemu-io", *words, "-f", "qcow2", path)


def plain(path, options="", size="64M", writes=WRITES):
    run("qemu-img", "create", "-q", "-f", "qcow2", *(["-o", options] if options else []), path, size)
    if writes:
        io(path, *writes)


def snapshots(path, options="", **more):
    plain(path, options, **more)
    run("qemu-img", "snapshot", "-c", "one", path)
    io(path, "write -P 5 512k 256k", "write -P 6 50M 64k")
    run("qemu-img", "snapshot", "-c", "two", path)
    io(path, "write -P 7 640k 256k", "discard 2M 64k")


def compressed(path, options=""):
    raw = path + ".raw"
    with open(raw, "wb") as f:
        for n in range(48):
            f.write((b"%07d\n" % n) * 8192)
        f.truncate(64 << 20)
    run("qemu-img", "convert", "-q", "-c", "-O", "qcow2", *(["-o", options] if options else []), raw, path)
    os.unlink(raw)
    io(path, "write -P 9 30M 1M")


def extended(path):
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", "extended_l2=on", path, "64M")
    io(path, "write -P 1 0 1M", "write -P 2 2M 4k", "write -z 2056k 4k", "write -P 3 40M 300k", "write -z 41M 64k")


def bitmaps(path):
    plain(path)
    run("qemu-img", "bitmap", "--add", path, "first")
    run("qemu-img", "bitmap", "--add", "-g", "65536", path, "second")
    io(path, "write -P 8 20M 640k")


def data_file(path, options="data_file_raw=off"):
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={path}.data,{options}", path, "64M")
    io(path, *WRITES)


def backed(path):
    run("qemu-img", "create", "-q", "-f", "raw", path + ".base", "8M")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", path + ".base", "-F", "raw", path, "64M")
    io(path, *WRITES)


BASES = {
    "plain": plain,
    "empty": lambda path: plain(path, writes=None),
    "v2": lambda path: snapshots(path, "compat=0.10", writes=[w for w in WRITES if "-z" not in w]),
    "snapshots": snapshots,
    "compressed": compressed,
    "zstd": lambda path: compressed(path, "compression_type=zstd"),
    "extended": extended,
    "bitmaps": bitmaps,
    "data-file": data_file,
    "data-file-raw": lambda path: data_file(path, "data_file_raw=on"),
    "backed": backed,
    "lazy": lambda path: plain(path, "lazy_refcounts=on"),
    "metadata": lambda path: plain(path, "preallocation=metadata"),
    "cluster-512": lambda path: snapshots(path, "cluster_size=512"),
    "cluster-4k": lambda path: snapshots(path, "cluster_size=4k"),
    "cluster-2m": lambda path: snapshots(path, "cluster_size=2M"),
    "refcount-1": lambda path: plain(path, "refcount_bits=1"),
    "refcount-2": lambda path: snapshots(path, "refcount_bits=2"),
    "refcount-4": lambda path: snapshots(path, "refcount_bits=4"),
    "refcount-8": lambda path: snapshots(path, "refcount_bits=8"),
    "refcount-32": lambda path: snapshots(path, "refcount_bits=32"),
    "refcount-64": lambda path: snapshots(path, "refcount_bits=64"),
}

# --- damage ----------------------------------------------------------------------------------------------------------

DAMAGES = {}


def damage(*bases):
    def take(function):
        DAMAGES[function.__name__.replace("_", "-")] = (bases, function)
        return function

    return take


ALL_WIDTHS = ("plain", "refcount-2", "refcount-4", "refcount-8", "refcount-32", "refcount-64", "cluster-512", "v2")


@damage(*ALL_WIDTHS)
def count_of_data_is_one_more(q):
    q.refcount(q.host(0), q.refcount(q.host(0)) + 1)


@damage(*ALL_WIDTHS, "refcount-1")
def count_of_data_is_zero(q):
    q.refcount(q.host(0), 0)


@damage("refcount-1", "snapshots", "cluster-4k", "cluster-2m", "data-file")
def count_of_free_cluster_is_one(q):
    q.refcount(q.length + 3 * q.cluster, 1)


@damage("plain")
def counts_far_behind_the_end(q):
    for n in range(10, 20):
        q.refcount(q.length + n * q.cluster, 7)


@damage("plain", "snapshots", "data-file")
def count_of_l2_is_zero(q):
    q.refcount(q.at_l2(0), 0)


@damage("plain")
def count_of_l2_is_two(q):
    q.refcount(q.at_l2(0), 2)


@damage("plain", "refcount-1")
def count_of_header_is_zero(q):
    q.refcount(0, 0)


@damage("plain")
def count_of_header_is_five(q):
    q.refcount(0, 5)


@damage("plain")
def count_of_table_is_zero(q):
    q.refcount(q.table, 0)


@damage("plain")
def count_of_table_is_two(q):
    q.refcount(q.table, 2)


@damage("plain", "cluster-512")
def count_of_block_is_zero(q):
    q.refcount(q.block(), 0)


@damage("plain", "cluster-512")
def count_of_block_is_two(q):
    q.refcount(q.block(), 2)


@damage("plain")
def count_of_l1_is_zero(q):
    q.refcount(q.l1, 0)


@damage("snapshots")
def count_of_snapshot_table_is_zero(q):
    q.refcount(q.snapshot_table, 0)


@damage("snapshots")
def count_of_snapshot_l1_is_zero(q):
    q.refcount(q.u64(q.snapshot()), 0)


@damage("snapshots", "v2")
def counts_of_shared_data_are_one(q):
    q.refcount(q.host(0), 1)
    q.refcount(q.host(1 << 16), 1)


@damage("plain")
def all_counts_are_zero(q):
    q.put(q.block(), bytes(q.cluster))


@damage("plain")
def all_counts_are_all_ones(q):
    q.put(q.block(), b"\xff" * q.cluster)


# flags


@damage("plain", "cluster-4k", "extended", "data-file")
def l1_copied_is_off(q):
    q.put_u64(q.at_l1(), q.u64(q.at_l1()) & ~COPIED)


@damage("plain", "cluster-4k", "extended", "data-file", "data-file-raw")
def l2_copied_is_off(q):
    for n in range(3):
        q.put_u64(q.at_l2(n << q.bits), q.u64(q.at_l2(n << q.bits)) & ~COPIED)


@damage("snapshots", "v2")
def l2_copied_is_on(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(0)) | COPIED)


@damage("snapshots")
def l1_copied_is_on(q):
    run("qemu-img", "snapshot", "-c", "three", q.file.name)
    q.__init__(q.file.name)
    for n in range(q.l1_size):
        if q.u64(q.at_l1(n)):
            q.put_u64(q.at_l1(n), q.u64(q.at_l1(n)) | COPIED)


@damage("plain")
def copied_is_on_where_there_is_nothing(q):
    q.put_u64(q.at_l2(10 << 20), COPIED)


@damage("plain")
def l1_copied_is_on_where_there_is_nothing(q):
    q.size = q.size  # one L1 entry covers 512 MiB here: another that is not there is made first
    run("qemu-img", "resize", "-q", q.file.name, "2G")
    q.__init__(q.file.name)
    q.put_u64(q.at_l1(2), COPIED)


# entries


@damage("plain", "cluster-4k", "v2", "snapshots")
def l2_entry_is_misaligned(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(0)) + 0x200)


@damage("cluster-512")
def l2_entry_has_low_bits(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(0)) | 0x100)


@damage("plain", "v2", "snapshots", "extended")
def l2_entry_has_reserved_bits(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(0)) | 1 << 57)
    q.put_u64(q.at_l2(1 << 16), q.u64(q.at_l2(1 << 16)) | 1 << 1)


@damage("plain")
def empty_l2_entry_has_reserved_bits(q):
    q.put_u64(q.at_l2(10 << 20), 1 << 57)
    q.put_u64(q.at_l2(11 << 20), 1 << 3)


@damage("v2")
def l2_entry_of_v2_is_zero(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(0)) | 1)
    q.put_u64(q.at_l2(10 << 20), 1)


@damage("plain", "snapshots", "cluster-4k")
def l2_entry_is_far_outside(q):
    q.put_u64(q.at_l2(0), COPIED | 1 << 40)


@damage("plain")
def l2_entries_are_at_the_very_end(q):
    q.put_u64(q.at_l2(0), COPIED | 0x00FFFFFFFFFF0000)
    q.put_u64(q.at_l2(1 << 16), COPIED | 0x007FFFFFFFFF0000)


@damage("plain")
def l2_entry_is_just_behind_the_end(q):
    q.put_u64(q.at_l2(0), COPIED | q.length)


@damage("plain")
def l2_entry_is_a_cluster_behind_the_end(q):
    q.put_u64(q.at_l2(0), COPIED | (q.length + q.cluster))


@damage("plain")
def file_lacks_half_a_cluster(q):
    q.file.truncate(q.length - q.cluster // 2)


@damage("plain", "cluster-4k")
def file_lacks_its_last_clusters(q):
    q.file.truncate(q.length - 5 * q.cluster)


@damage("plain")
def file_is_longer(q):
    q.file.truncate(q.length + 5 * q.cluster + 100)


@damage("plain", "cluster-4k")
def l1_entry_is_misaligned(q):
    q.put_u64(q.at_l1(), q.u64(q.at_l1()) + 0x200)


@damage("plain", "snapshots")
def l1_entry_has_reserved_bits(q):
    q.put_u64(q.at_l1(), q.u64(q.at_l1()) | 1 << 57 | 1)


@damage("plain")
def l1_entry_is_only_reserved_bits(q):
    q.put_u64(q.at_l1(), 1 << 57 | 1)


@damage("plain", "snapshots")
def l1_entry_is_far_outside(q):
    q.put_u64(q.at_l1(), COPIED | 1 << 40)


@damage("plain")
def l1_entry_is_just_behind_the_end(q):
    q.put_u64(q.at_l1(), COPIED | q.length)


@damage("plain", "snapshots")
def l1_entry_is_gone(q):
    q.put_u64(q.at_l1(), 0)


@damage("plain", "compressed", "snapshots")
def l2_entries_are_gone(q):
    q.put(q.at_l2(0), bytes(40))


@damage("plain", "cluster-4k")
def two_l2_entries_are_the_same(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(1 << 16)))


@damage("cluster-4k")
def two_l1_entries_are_the_same(q):
    q.put_u64(q.at_l1(5), q.u64(q.at_l1()))


@damage("plain")
def l2_entry_is_the_header(q):
    q.put_u64(q.at_l2(0), COPIED)
    q.put_u64(q.at_l2(1 << 16), COPIED | 1)


@damage("plain")
def l2_entry_is_the_l1_table(q):
    q.put_u64(q.at_l2(0), COPIED | q.l1)


@damage("plain")
def l2_entry_is_its_own_table(q):
    q.put_u64(q.at_l2(0), COPIED | (q.at_l2(0)))


@damage("plain")
def l2_entry_is_a_refcount_block(q):
    q.put_u64(q.at_l2(0), COPIED | q.block())


@damage("plain")
def l2_entry_is_the_refcount_table(q):
    q.put_u64(q.at_l2(0), COPIED | q.table)


@damage("plain")
def l1_entry_is_the_l1_table(q):
    q.put_u64(q.at_l1(), COPIED | q.l1)


@damage("cluster-4k")
def l1_entry_is_the_header(q):
    q.put_u64(q.at_l1(), COPIED)


@damage("cluster-4k")
def l1_entry_is_the_refcount_table(q):
    q.put_u64(q.at_l1(), COPIED | q.table)


@damage("cluster-4k")
def l1_entry_is_data(q):
    q.put_u64(q.at_l1(), COPIED | q.host(40 << 20))


@damage("plain", "cluster-4k")
def zero_entry_is_misaligned(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(0)) + 0x200 | 1)


@damage("plain", "snapshots")
def zero_entry_has_a_cluster(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(0)) | 1)


@damage("plain")
def zero_entry_is_far_outside(q):
    q.put_u64(q.at_l2(0), COPIED | 1 << 40 | 1)


@damage("plain")
def l2_table_is_noise(q):
    at = q.at_l2(0)
    q.put(at, bytes((n * 37 + n // 256 * 11) & 255 for n in range(4096)))


# compressed clusters


@damage("compressed", "zstd")
def compressed_has_copied(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(0)) | COPIED)


@damage("compressed")
def compressed_is_longer(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(0)) | 0x3FC << 52)


@damage("compressed")
def compressed_is_far_outside(q):
    q.put_u64(q.at_l2(0), COMPRESSED | 1 << 40)


@damage("compressed")
def compressed_is_at_the_end(q):
    q.put_u64(q.at_l2(0), COMPRESSED | (q.length - 512) | 0x3FC << 52)


@damage("data-file")
def compressed_with_a_data_file(q):
    q.put_u64(q.at_l2(0), COMPRESSED | q.host(0))


@damage("compressed")
def count_of_compressed_is_two_less(q):
    at = q.u64(q.at_l2(0)) & (1 << 54) - 1
    q.refcount(at, q.refcount(at) - 2)


@damage("compressed")
def count_of_compressed_is_two_more(q):
    at = q.u64(q.at_l2(0)) & (1 << 54) - 1
    q.refcount(at, q.refcount(at) + 2)


# extended entries


@damage("extended")
def subclusters_are_both(q):
    q.put_u64(q.at_l2(0) + 8, 0xFFFFFFFF | 1 << 40)


@damage("extended")
def subclusters_without_a_cluster(q):
    q.put_u64(q.at_l2(10 << 20) + 8, 3)


@damage("extended")
def subclusters_zero_without_a_cluster(q):
    q.put_u64(q.at_l2(10 << 20) + 8, 3 << 32)


@damage("extended")
def subclusters_none_of_a_cluster(q):
    q.put_u64(q.at_l2(0) + 8, 0)


@damage("extended")
def extended_zero_flag(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(0)) | 1)


@damage("extended")
def extended_misaligned(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(0)) + 0x200)


@damage("extended")
def extended_misaligned_zero(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(0)) + 0x200)
    q.put_u64(q.at_l2(0) + 8, 0xFFFFFFFF << 32)


@damage("extended")
def extended_compressed_with_bitmap(q):
    q.put_u64(q.at_l2(0), COMPRESSED | q.host(0))


# the refcount table


@damage("plain", "refcount-64")
def table_entry_has_reserved_bits(q):
    q.put_u64(q.at_table(), q.u64(q.at_table()) | 0x101)


@damage("plain", "cluster-512")
def table_entry_is_only_reserved_bits(q):
    q.put_u64(q.at_table(q.cluster // 8 - 1), 0x1)


@damage("plain", "cluster-4k")
def table_entry_is_misaligned(q):
    q.put_u64(q.at_table(), q.u64(q.at_table()) + 0x200)


@damage("plain", "cluster-512")
def table_entry_is_outside(q):
    q.put_u64(q.at_table(), 1 << 40)


@damage("plain")
def table_entry_of_nothing_is_outside(q):
    q.put_u64(q.at_table(3), 1 << 40)


@damage("plain")
def table_entry_is_just_behind_the_end(q):
    q.put_u64(q.at_table(), q.length)


@damage("plain", "cluster-512", "refcount-1", "snapshots", "bitmaps")
def table_entry_is_gone(q):
    q.put_u64(q.at_table(), 0)


@damage("cluster-512")
def two_table_entries_are_the_same(q):
    q.put_u64(q.at_table(1), q.u64(q.at_table()))


@damage("plain")
def second_table_entry_is_the_first(q):
    q.put_u64(q.at_table(1), q.u64(q.at_table()))


@damage("plain")
def table_entry_is_the_table(q):
    q.put_u64(q.at_table(), q.table)


@damage("plain")
def table_entry_is_the_header(q):
    q.put_u64(q.at_table(1), 1)


@damage("plain")
def table_entry_is_data(q):
    q.put_u64(q.at_table(), q.host(0))


@damage("plain", "cluster-512", "v2", "snapshots", "bitmaps", "refcount-1", "data-file", "compressed")
def table_is_gone(q):
    q.put(48, bytes(12))


@damage("plain")
def table_is_misaligned(q):
    q.put_u64(48, q.table + 0x200)


@damage("plain")
def table_is_outside(q):
    q.put_u64(48, 1 << 40)


@damage("plain")
def table_is_too_large(q):
    q.put_u32(56, 0x7FFFFFFF)


@damage("plain")
def block_without_counts(q):
    at = q.length
    q.put(at, bytes(q.cluster))
    q.put_u64(q.at_table(1), at)


# snapshots


@damage("snapshots", "v2", "cluster-4k")
def snapshot_l1_is_misaligned(q):
    q.put_u64(q.snapshot(), q.u64(q.snapshot()) + 0x200)


@damage("snapshots")
def snapshot_l1_is_outside(q):
    q.put_u64(q.snapshot(), 1 << 40)


@damage("snapshots")
def snapshot_l1_is_the_active(q):
    q.put_u64(q.snapshot(), q.l1)


@damage("snapshots")
def snapshot_l1_is_too_large(q):
    q.put_u32(q.snapshot() + 8, 0x7FFFFFFF)


@damage("snapshots")
def snapshot_l1_is_larger(q):
    q.put_u32(q.snapshot() + 8, 9000)


@damage("snapshots")
def snapshot_l1_is_empty(q):
    q.put_u32(q.snapshot() + 8, 0)


@damage("snapshots", "cluster-4k")
def snapshot_l2_is_misaligned(q):
    q.put_u64(q.u64(q.snapshot()), q.u64(q.u64(q.snapshot())) + 0x200)


@damage("snapshots")
def snapshot_l2_is_outside(q):
    q.put_u64(q.u64(q.snapshot()), 1 << 40)


@damage("snapshots")
def snapshot_l2_has_reserved_bits(q):
    l2 = q.u64(q.u64(q.snapshot())) & OFFSET
    q.put_u64(l2, q.u64(l2) | 1 << 57)


@damage("snapshots")
def snapshot_has_copied(q):
    l2 = q.u64(q.u64(q.snapshot())) & OFFSET
    q.put_u64(l2, q.u64(l2) | COPIED)


def put_extra(q, number, size):
    """That of a snapshot gets another size; what is there is kept, as far as it goes. Larger: of the last one."""
    at = q.snapshot(number)
    old, text = q.u32(at + 36), sum(struct.unpack(">HH", q.get(at + 12, 4)))
    extra, names = q.get(at + 40, old), q.get(at + 40 + old, text)
    behind = q.get(q.snapshot(number + 1), 4096) if size < old else b""
    entry = q.get(at, 36) + struct.pack(">I", size) + extra[:size].ljust(size, b"x") + names
    q.put(at, entry + bytes(-len(entry) % 8) + behind)


@damage("snapshots", "v2")
def snapshot_has_no_extra_data(q):
    put_extra(q, 0, 0)


@damage("snapshots")
def snapshots_have_too_little_extra_data(q):
    put_extra(q, 1, 0)
    put_extra(q, 0, 8)


@damage("snapshots", "v2", "cluster-4k")
def snapshot_has_too_much_extra_data(q):
    put_extra(q, 1, 3000)


@damage("v2")
def snapshots_are_too_many(q):
    at = (q.length + q.cluster - 1) // q.cluster * q.cluster
    old = q.get(q.snapshot_table, q.snapshot(2) - q.snapshot_table)
    q.put(at, old + b"".join(bytes(12) + b"\0\6\0\0" + bytes(24) + b"%06d\0\0" % n for n in range(65600)))
    q.put_u32(60, 65602)
    q.put_u64(64, at)


@damage("snapshots")
def snapshot_is_lost(q):
    q.put_u32(60, 1)


@damage("snapshots")
def snapshots_are_lost(q):
    q.put_u32(60, 0)
    q.put_u64(64, 0)


@damage("snapshots")
def snapshot_table_is_misaligned(q):
    q.put_u64(64, q.snapshot_table + 0x200)


# bitmaps


@damage("bitmaps")
def bitmap_table_is_misaligned(q):
    q.put_u64(q.bitmap_directory(), q.bitmap_table() + 0x200)


@damage("bitmaps")
def bitmap_table_is_outside(q):
    q.put_u64(q.bitmap_directory(), 1 << 40)


@damage("bitmaps")
def bitmap_entry_has_reserved_bits(q):
    q.put_u64(q.bitmap_table(), q.u64(q.bitmap_table()) | 1 << 57)


@damage("bitmaps")
def bitmap_entry_is_misaligned(q):
    q.put_u64(q.bitmap_table(), q.length - q.cluster + 0x200)


@damage("bitmaps")
def bitmap_entry_is_outside(q):
    q.put_u64(q.bitmap_table(), 1 << 40)


@damage("bitmaps")
def count_of_bitmap_directory_is_zero(q):
    q.refcount(q.bitmap_directory(), 0)


@damage("bitmaps")
def count_of_bitmap_table_is_zero(q):
    q.refcount(q.bitmap_table(), 0)


@damage("bitmaps")
def bitmaps_are_not_valid_any_more(q):
    q.put_u64(88, 0)


# an external data file


@damage("data-file", "data-file-raw")
def data_offset_is_misaligned(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(0)) + 0x200)


@damage("data-file", "data-file-raw")
def data_offset_is_another(q):
    q.put_u64(q.at_l2(0), q.u64(q.at_l2(0)) + 0x10000)


@damage("data-file", "data-file-raw")
def data_offset_is_outside(q):
    q.put_u64(q.at_l2(0), COPIED | 1 << 40)


# states


@damage("lazy", "plain")
def image_is_dirty(q):
    q.put_u64(72, q.features | 1)


@damage("plain")
def image_is_dirty_and_counts_are_missing(q):
    q.put_u64(72, q.features | 1)
    q.refcount(q.host(0), 0)


@damage("plain")
def image_is_corrupt(q):
    q.put_u64(72, q.features | 2)


@damage("plain")
def image_is_corrupt_and_counts_are_missing(q):
    q.put_u64(72, q.features | 2)
    q.refcount(q.host(0), 0)
