"""What is held against Ferry's programs. Every check is a sentence, and a function that raises Wrong or Skip."""

import filecmp
import json
import re
import shutil
import subprocess
import threading
from collections import Counter

import oracle

PATIENCE = 300
UNCOVERED = "the stream's description does not cover it"
UNDESCRIBED = "the stream has no description of it"
LEGACY_HOLE = (0xA0000, 0x100000)  # VGA, ROMs and what shadows them: not the same from everywhere


class Wrong(Exception):
    """A check found something."""


class Skip(Exception):
    """A check cannot be made, and why."""


class Totals:
    """Counts over all recordings."""

    def __init__(self):
        self.lock, self.count, self.notes, self.twice = threading.Lock(), Counter(), Counter(), set()

    def add(self, notes=(), twice=(), **counts):
        with self.lock:
            self.count.update(counts)
            self.notes.update(notes)
            self.twice.update(twice)


def run(*command, expect=0):
    """Runs a program; returns what it printed."""
    command = [str(word) for word in command]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
    if result.returncode != expect:
        said = (result.stdout[-600:] + b"\n" + result.stderr[-600:]).decode(errors="replace")
        raise Wrong(f"exit status {result.returncode}, not {expect}: {' '.join(command)}\n{said}")
    return result.stdout


def run_foreign(*command):
    """Runs a program that is not Ferry's, if it is there; returns its exit status and all it says."""
    if not shutil.which(command[0]):
        raise Skip(f"{command[0]} is not installed")
    result = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            timeout=PATIENCE)
    return result.returncode, result.stdout, result.stderr.decode(errors="replace")


def same_octets(a, b):
    if not filecmp.cmp(a, b, shallow=False):
        raise Wrong(f"{b.name} is not the same as {a.name}")


class Checks:
    def __init__(self, config, recording, folder, bin_folder, module, totals):
        self.config, self.recording, self.folder, self.totals = config, recording, folder, totals
        self.bin, self.module = bin_folder, module
        self.status = 3 if recording.cut else 0  # of a program that reads the main channel
        self.partial = ["--partial"] if recording.cut else []
        self.dump = None  # what vmstate-dump says of the main channel

    def tool(self, name, *arguments, **more):
        return run(self.bin / name, *arguments, **more)

    def all(self):
        """The checks that this recording is for."""
        yield "vmstate-dump shows it in every format", self.dumps
        yield "every section is shown with its fields, or it is said why not", self.sections
        yield "no JSON object has two members of one name", self.unique
        yield "every value agrees with an independent reading of the stream", self.values
        yield "BER and back gives the same octets", self.round_trip
        yield "BER with zstd and back gives the same octets", self.round_trip_zstd
        if self.recording.channels:
            yield "its other channels go to BER and back", self.channels
        yield "the BER stream shows the same sections, commands and values", self.same_dump
        yield "dumpasn1 has no complaint about the BER stream", self.dumpasn1
        yield "openssl reads the BER stream", self.openssl
        yield "the BER stream follows its ASN.1 module", self.asn1_module
        yield "vmstate-diff finds no difference to the BER stream", self.diff
        yield "vmstate-check says that it loads where it came from", self.check
        if self.recording.saved:
            yield "guest memory in the stream is what QEMU itself saves", self.memory
            yield "the memory image ends where guest memory does", self.layout

    # --- reading

    def dumps(self):
        main = self.recording.main
        text = self.tool("vmstate-dump", "--format=json", main, expect=self.status)
        json.loads(text)
        self.dump = oracle.parse_json(text)
        for form in ("pretty", "summary"):
            if not self.tool("vmstate-dump", f"--format={form}", main, expect=self.status):
                raise Wrong(f"nothing is shown in format {form}")

    def sections(self):
        notes = Counter()
        sections = [element for element in self.dump.get("elements") if "section" in element]
        allowed = (UNCOVERED,) if self.config.described else (UNCOVERED, UNDESCRIBED)
        for section in sections:
            note = section.get("note")
            if note in allowed and "octets" in section:
                notes[f"{section.get('section').rpartition('/')[2]}: {note}"] += note == UNCOVERED
                self.totals.add(without=note == UNDESCRIBED)
            elif note or "fields" not in section:
                raise Wrong(f"{section.get('section')}: {note or 'no fields, and no word on it'}")
        if not sections:
            raise Wrong("no section is shown")
        self.totals.add(notes=notes, sections=len(sections))

    def unique(self):
        twice = set(oracle.twice_named(self.dump))
        if twice:
            self.totals.add(twice=twice)
            raise Wrong("most who read JSON lose one: " + ", ".join(sorted(twice)))

    def values(self):
        main, sibling, dump = self.recording.main, self.recording.sibling, self.dump
        if not self.config.described and not sibling:
            raise Skip("the stream does not describe itself")
        if sibling:
            text = self.tool("vmstate-dump", "--format=json", f"--schema-from={sibling}", main)
            dump = oracle.parse_json(text)
        comparison = oracle.Comparison()
        try:
            stream = oracle.read(main.read_bytes(), (sibling or main).read_bytes())
            comparison.places(stream, self.dump)
            comparison.stream(stream, dump)
        except oracle.Disagreement as error:
            raise Wrong(str(error)) from error
        self.totals.add(values=comparison.values)

    # --- there and back

    def _there_and_back(self, path, *options, partial=()):
        ber, back = path.with_name(path.name + ".ber"), path.with_name(path.name + ".again")
        self.tool("vmstate-convert", "--to=ber", "--verify", *options, *partial, path, ber, expect=3 if partial else 0)
        self.tool("vmstate-convert", "--to=qemufile", *partial, ber, back, expect=3 if partial else 0)
        same_octets(path, back)
        back.unlink()
        return ber

    def round_trip(self):
        self._there_and_back(self.recording.main, "--compress=none", partial=self.partial).rename(self._ber())

    def round_trip_zstd(self):
        self._there_and_back(self.recording.main, "--compress=zstd", partial=self.partial)

    def channels(self):
        for path, kind in self.recording.channels:
            told = [] if kind == "multifd" else [f"--channel-kind={kind}"]
            self._there_and_back(path, *told)
            self._there_and_back(path, *told, "--compress=zstd")
            json.loads(self.tool("vmstate-dump", "--format=json", *told, path))

    def same_dump(self):
        def important(dump):
            return [oracle.Pairs((key, value) for key, value in element if key not in ("offset", "id", "note"))
                    for element in dump.get("elements") if "section" in element or "command" in element]

        ours = oracle.parse_json(self.tool("vmstate-dump", "--format=json", self._ber(), expect=self.status))
        for one, other in zip(important(self.dump), important(ours), strict=True):
            if one != other:
                raise Wrong(f"not the same:\n{str(one)[:400]}\n{str(other)[:400]}")

    # --- other programs read the BER form

    def _ber(self):
        return self.folder / "plain.ber"

    def dumpasn1(self):
        for path in self.folder.glob("*.ber"):
            status, said, summary = run_foreign("dumpasn1", path)
            complaints = re.findall(rb"^\s*:\s+(?:Error|Warning): (.*)$", said, re.MULTILINE)
            if status or complaints or "0 warnings, 0 errors" not in summary:
                raise Wrong(f"dumpasn1 on {path.name}: {complaints[:3]} {summary[-200:]}")

    def openssl(self):
        status, _, said = run_foreign("openssl", "asn1parse", "-inform", "DER", "-in", self._ber())
        if status:
            raise Wrong(f"exit status {status}: {said[-400:]}")

    def asn1_module(self):
        status, _, said = run_foreign("asn1Decoding", self.module, self._ber(), "VMSTATE.Stream")
        if status or "Decoding: SUCCESS" not in said:
            raise Wrong(f"exit status {status}: {said[-400:]}")

    # --- comparing

    def diff(self):
        said = self.tool("vmstate-diff", self.recording.main, self._ber(), expect=self.status).decode()
        if not self.recording.cut and "0 differences" not in said:
            raise Wrong(said)

    def check(self):
        for loader in ("name", "position"):
            self.tool("vmstate-check", f"--loader={loader}", self.recording.main, self.recording.main,
                      expect=self.status)

    # --- guest memory

    def _image(self):
        path = self.folder / "image"
        if not path.exists():
            more = [f"--channel={channel}" for channel, kind in self.recording.channels if kind == "multifd"]
            if self.config.ram_blocks:
                more.append(f"--ram-blocks={self.config.ram_blocks}")
            if not self.dump.get("stream").get("machine"):  # then only the user can know how memory is split
                more.append(f"--ram-below={self.recording.below}")
            self.tool("vmstate-dump", "--format=summary", f"--ram={path}", *more, self.recording.main)
        return path

    def memory(self):
        saved = self.recording.saved.read_bytes()
        with open(self._image(), "rb") as image:
            ours = image.read(len(saved))
        for first, end in ((0, LEGACY_HOLE[0]), (LEGACY_HOLE[1], len(saved))):
            if ours[first:end] != saved[first:end]:
                at = next(i for i in range(first, end) if i >= len(ours) or ours[i] != saved[i])
                raise Wrong(f"the memory image differs at {at:#x}")
        if not any(saved[0x500:LEGACY_HOLE[0]]) and self.config.run:
            raise Wrong("the guest has left nothing in its memory: this proves little")

    def layout(self):
        size = self._image().stat().st_size
        if size != self.recording.top:
            raise Wrong(f"the image has {size:#x} octets, guest memory ends at {self.recording.top:#x}")

