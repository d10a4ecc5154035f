"""check_damage.py QCOW2-TOOL DIRECTORY: images that are damaged at a known place, held against qemu-img. Speaks TAP.

For each: our counts of corruptions and leaks, the end of the image and the statistics are qemu-img's. After our repair,
qemu-img finds no more errors than after its own, a second check finds what the repair has said is left, and the guest
sees what it saw before, as far as that could be read, or otherwise what it sees after qemu-img's repair.
"""
import concurrent.futures, contextlib, json, os, shutil, subprocess, sys, threading

sys.dont_write_bytecode = True
import damage

KEYS = ("corruptions", "leaks", "check-errors", "image-end-offset", "total-clusters", "allocated-clusters")
KEYS += ("fragmented-clusters", "compressed-clusters")
ERRORS = KEYS[:3]
DATA_FILE = threading.Lock()

# Where we count otherwise, what we count, and why. None: it cannot be checked.
HEADER_AS_L2 = "qemu-img reads the header as an L2 table; an entry without an offset has none"
OVERLAP = "a cluster that is data and metadata is corrupt, even where its count is right"
ONLY_REPAIRED = "qemu-img tells only when it may repair"
OTHERWISE = {
    ("extended", "extended-compressed-with-bitmap"): ((1, 0), "qemu-img takes a cluster that is read for leaked"),
    ("plain", "table-is-misaligned"): ((81, 0), "qemu-img does not open it"),
    ("plain", "table-is-too-large"): ((81, 0), "qemu-img does not open it"),
    ("snapshots", "snapshot-has-too-much-extra-data"): ((1, 0), ONLY_REPAIRED),
    ("v2", "snapshot-has-too-much-extra-data"): ((1, 0), ONLY_REPAIRED),
    ("cluster-4k", "snapshot-has-too-much-extra-data"): ((1, 0), ONLY_REPAIRED),
    ("v2", "snapshots-are-too-many"): ((115, 1), ONLY_REPAIRED),
    ("plain", "l1-copied-is-on-where-there-is-nothing"): ((1, 0), HEADER_AS_L2),
    ("plain", "l1-entry-is-only-reserved-bits"): ((1, 39), HEADER_AS_L2),
    ("cluster-4k", "l1-entry-is-the-header"): ((1, 257), HEADER_AS_L2),
    ("plain", "table-entry-is-misaligned"): ((82, 0), "qemu-img cannot go on"),
    ("cluster-4k", "table-entry-is-misaligned"): ((828, 0), "qemu-img cannot go on"),
    ("snapshots", "snapshot-l1-is-larger"): ((451097, 0), OVERLAP),
    ("snapshots", "snapshot-l2-is-misaligned"): ((130, 16), OVERLAP),
    ("cluster-4k", "snapshot-l2-is-misaligned"): ((130, 63), OVERLAP),
    ("snapshots", "snapshot-table-is-misaligned"): (None, "refused by both"),
    ("bitmaps", "bitmap-table-is-misaligned"): ((1, 1), "qemu-img does not open it"),
    ("bitmaps", "bitmap-entry-has-reserved-bits"): ((1, 0), "qemu-img does not open it"),
    ("bitmaps", "bitmap-entry-is-misaligned"): ((4, 1), "qemu-img does not open it"),
}
# What we leave, since qemu-img's way destroys something.
LEFT = {
    "l2-entry-is-its-own-table": "a table that something else lies on is not written to",
    "l1-entry-is-the-l1-table": "the same",
    "l1-entry-is-data": "the same: it is the guest's data",
    "snapshot-l1-is-larger": "the same",
    "extended-compressed-with-bitmap": "qemu-img frees a cluster that is read",
    "bitmap-table-is-outside": "qemu-img drops the bitmaps",
    "bitmap-entry-is-outside": "qemu-img drops the bitmaps",
    "count-of-bitmap-directory-is-zero": "the same, to repair leaks",
    "count-of-bitmap-table-is-zero": "the same, to repair leaks",
}


def command(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stdout, done.stderr


def numbers(text):
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return {key: found.get(key, 0) for key in KEYS}


def errors(found):
    return sum(found[key] for key in ERRORS) if found else 1 << 60


class Case:
    def __init__(self, program, directory, base, name):
        self.program, self.directory, self.base, self.name = program, directory, base, name
        self.path = os.path.join(directory, f"{base}-{name}")

    def qemu(self, path, *options):
        return numbers(command("qemu-img", "check", "-f", "qcow2", "--output=json", *options, path)[1])

    def ours(self, path, *options):
        return numbers(command(self.program, "check", "--format=json", "-f", "qcow2", *options, path)[1])

    def must(self, condition, *what):
        if not condition:
            raise AssertionError(" ".join(map(str, what)))

    def copy(self, suffix):
        shutil.copy(self.path, self.path + suffix)
        return self.path + suffix

    def counts(self):
        theirs, ours = self.qemu(self.path), self.ours(self.path)
        if (self.base, self.name) in OTHERWISE:
            wanted = OTHERWISE[self.base, self.name][0]
            found = ours and (ours["corruptions"], ours["leaks"])
            self.must(found == wanted, "found", ours, "wanted", wanted)
        else:
            self.must(theirs is not None and ours == theirs, "found", ours, "qemu-img", theirs)
        return ours

    def same(self, one, other):
        return command("qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", one, other)[0]

    def repaired(self, how):
        mine, theirs = self.copy(".ours"), self.copy(".theirs")
        said = self.ours(mine, f"--repair={how}")
        self.qemu(theirs, "-r", how)
        again, judged, best = self.ours(mine), self.qemu(mine), self.qemu(theirs)
        self.must(said == again, "the repair has left", said, "the check finds", again)
        if self.name not in LEFT:
            self.must(errors(judged) <= errors(best), "qemu-img finds", judged, "after its own repair", best)
        same = self.same(mine, self.path)
        self.must(same != 1, "the guest sees something else than before")
        self.must(same == 0 or self.same(mine, theirs) != 1, "the guest sees something else than in qemu-img's")

    def run(self, image):
        shutil.copy(image, self.path)
        image = damage.Qcow2(self.path)
        damage.DAMAGES[self.name][1](image)
        image.close()
        found = self.counts()
        # Repairs take long: of one kind of image for each damage.
        if found and errors(found) and damage.DAMAGES[self.name][0][0] == self.base:
            self.repaired("leaks")
            self.repaired("all")

    def result(self, image):
        try:
            # Copies of such an image have the same data file, which is locked.
            with DATA_FILE if "data-file" in self.base else contextlib.nullcontext():
                self.run(image)
        except AssertionError as error:
            said = command(self.program, "check", self.path)[1]
            return f"{error}\n{said[:2000]}"
        finally:
            for suffix in ("", ".ours", ".theirs"):
                if os.path.exists(self.path + suffix):
                    os.unlink(self.path + suffix)
        return None


def clean(case, image):
    case.path = image
    theirs, ours = case.qemu(image), case.ours(image)
    return None if ours == theirs and errors(ours) == 0 else f"found {ours}, qemu-img {theirs}"


def main():
    program, directory = sys.argv[1:3]
    images = {}
    for name, make in damage.BASES.items():
        images[name] = os.path.join(directory, name + ".qcow2")
        make(images[name])
    cases = [(f"{name}: clean", clean, Case(program, directory, name, "clean"), images[name]) for name in images]
    for name, (bases, _) in damage.DAMAGES.items():
        for base in bases:
            case = Case(program, directory, base, name)
            why = OTHERWISE.get((base, name), ("", ""))[1] or LEFT.get(name, "")
            cases.append((f"{base}: {name}" + (f" ({why})" if why else ""), Case.result, case, images[base]))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda c: c[1](c[2], c[3]), cases)
        for number, (case, wrong) in enumerate(zip(cases, results), 1):
            print(f"{'not ok' if wrong else 'ok'} {number} - {case[0]}", flush=True)
            if wrong:
                failed += 1
                print("\n".join("# " + line for line in wrong.splitlines()[:20]))
    print(f"1..{len(cases)}")
    sys.exit(failed != 0)


main()
