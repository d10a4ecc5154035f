#!/usr/bin/env python3
"""iotests_shim.py qemu-img|qemu-io WORD...: stands where a test of QEMU's looks for these programs.

IOTESTS_MODE is "theirs" (QEMU's own program runs) or "ours" (qcow2-tool in IOTESTS_TOOL does the same; what it has no
command for, QEMU's program does). Either way a line of JSON in IOTESTS_LOG says what ran, its exit status, and the facts
of the images after it, as QEMU's qemu-img sees them: size, check, map, contents, each snapshot's contents. The run with
ours is held against the run with theirs by the program "iotests".

What ours says is put into the words of qemu-img and qemu-io where a test looks at numbers.
"""
import hashlib
import json
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile

THEIR = {"qemu-img": "/usr/bin/qemu-img", "qemu-io": "/usr/bin/qemu-io"}
OURS = os.environ.get("IOTESTS_MODE") == "ours"
TOOL = os.environ.get("IOTESTS_TOOL", "qcow2-tool")
CONTENT_MAX = 8 << 40  # octets; the file system takes no larger file
HASHED_MAX = 256 << 20  # octets of data: beyond, contents are not looked at


class Theirs(Exception):
    """qcow2-tool has nothing for this: QEMU's own program does it."""


def call(*line, data=None):
    """Exit status, standard output and error."""
    p = subprocess.run(line, input=data, stdin=None if data is not None else subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return p.returncode, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")


def load(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


# --- facts -----------------------------------------------------------------------------------------------------------

def digest(path):
    """Of what a sparse raw file has that is not zero."""
    found, at, done = hashlib.sha256(), 0, 0
    piece = 1 << 16
    with open(path, "rb", buffering=0) as f:
        end = os.fstat(f.fileno()).st_size
        while at < end:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA) // piece * piece
            except OSError:
                break
            f.seek(at)
            data = f.read(piece)
            done += len(data)
            if done > HASHED_MAX:
                return "too much"
            if data.count(0) != len(data):
                found.update(b"%d:" % at + data.rstrip(b"\0"))
            at += piece
    return found.hexdigest()[:16]


def content(convert, size, stored=0):
    if size > CONTENT_MAX or stored > HASHED_MAX:
        return "too large"
    with tempfile.TemporaryDirectory(dir=os.environ["IOTESTS_SCRATCH"]) as where:
        raw = os.path.join(where, "raw")
        status, _, err = call(*convert, raw)
        return digest(raw) if status == 0 else "unreadable"


def extents(text):
    """Of a map: what is whose; where one is cut is no fact."""
    out = []
    for e in load(text) or []:
        key = [e["depth"], "data" if e["data"] else "zero" if e["zero"] else "?"]
        if out and out[-1][1:] == key:
            out[-1][0] += e["length"]
        else:
            out.append([e["length"], *key])
    return out


def facts(path):
    with open(path, "rb") as f:
        head = f.read(72)
    name = "qcow2" if head[:4] == b"QFI\xfb" and head[4:8] in (b"\0\0\0\2", b"\0\0\0\3") else "raw"
    their = THEIR["qemu-img"]
    status, out, _ = call(their, "info", "-U", "-f", name, "--output=json", path)
    info = load(out)
    if status or not info:
        return {"format": name, "opens": False}
    size = info["virtual-size"]
    found = {"format": name, "size": size}
    if call(their, "info", "-U", "-f", name, "--backing-chain", path)[0]:
        return {**found, "chain": "cannot be opened"}  # QEMU's programs may never end with a chain that does not
    if name == "raw":
        found["data"] = content([their, "convert", "-U", "-f", name, "-O", "raw", path], size)
        return found
    specific = info.get("format-specific", {}).get("data", {})
    found["header"] = [specific.get(k) for k in ("compat", "refcount-bits", "extended-l2", "lazy-refcounts", "corrupt",
                                                 "compression-type")] + [info.get("cluster-size"), info.get("dirty-flag"),
                                                                         info.get("backing-filename"),
                                                                         info.get("backing-filename-format")]
    status, out, _ = call(their, "check", "-U", "-f", name, "--output=json", path)
    check = load(out) or {}
    found["check"] = [status, check.get("corruptions", 0), check.get("leaks", 0)]
    found["allocated"] = [check.get("allocated-clusters", 0), check.get("compressed-clusters", 0)]
    stored = check.get("allocated-clusters", 0) * info["cluster-size"]
    found["data"] = content([their, "convert", "-U", "-f", name, "-O", "raw", path], size, stored)
    found["map"] = "too large" if size > CONTENT_MAX else extents(call(their, "map", "-U", "-f", name, "--output=json", path)[1])
    found["snapshots"] = [[s["id"], s["name"], s["vm-state-size"],
                           content([their, "convert", "-U", "-f", name, "-l", "snapshot.id=" + s["id"], "-O", "raw", path],
                                   size, stored)] for s in info.get("snapshots", [])[:8]]
    if OURS:  # what we read and find is what they do
        found["our-data"] = content([TOOL, "convert", "-U", "--probe-backing", "-f", name, "-O", "raw", path], size,
                                    stored)
        found["our-check"] = check_status(call(TOOL, "check", "-U", "-f", name, "--format=json", path)[1])[:2]
    return found


def check_status(text):
    """What qemu-img check would end with, for our JSON; and leaks and corruptions."""
    found = load(text)
    if not found:
        return 1, [0, 0]
    counts = [found.get("corruptions", 0), found.get("leaks", 0)]
    return 1 if found["check-errors"] else 2 if counts[0] else 3 if counts[1] else 0, counts


def facts_known(path):
    """The facts, which are looked for once while the file is the same."""
    stat = os.stat(path)
    key = f"{path} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
    known = os.path.join(os.environ["IOTESTS_SCRATCH"], hashlib.sha256(key.encode()).hexdigest())
    try:
        with open(known, encoding="utf-8") as f:
            return json.load(f)
    except OSError:
        found = facts(path)
    if not found.get("header") or not found["header"][-2]:  # what it has of a backing file may change meanwhile
        with open(known, "w", encoding="utf-8") as f:
            json.dump(found, f)
    return found


def all_facts(names):
    out = {}
    for path in names:
        if os.path.isfile(path) and os.path.getsize(path):
            try:
                out[os.path.basename(path)] = facts_known(path)
            except OSError as e:
                out[os.path.basename(path)] = {"error": str(e)}
    return out


# --- arguments -------------------------------------------------------------------------------------------------------

def options_of(words, letters, names):
    """letters: as getopt's; names: long ones, with '=' if they have a value, mapped to a letter or themselves.
    A list of (name, value), and the other words."""
    found, rest, words = [], [], list(words)
    while words:
        word = words.pop(0)
        if word == "--":
            rest += words
            break
        if word.startswith("--"):
            name, has, value = word[2:].partition("=")
            wanted = names.get(name)
            if wanted is None:
                raise Theirs(word)
            if wanted.endswith("=") and not has:
                value = words.pop(0) if words else ""
            found.append((wanted.rstrip("="), value))
        elif word.startswith("-") and len(word) > 1 and not word[1].isdigit():
            letters_here = word[1:]
            while letters_here:
                letter, letters_here = letters_here[0], letters_here[1:]
                at = letters.find(letter)
                if at < 0 or letter == ":":
                    raise Theirs(word)
                value = None
                if letters[at + 1:at + 2] == ":":
                    value = letters_here or (words.pop(0) if words else "")
                    letters_here = ""
                found.append((letter, value))
        else:
            rest.append(word)
    return found, rest


def plain(name):
    """The file that a name of an image stands for, if it is one that we can open by its path."""
    match = re.match(r"blkdebug::(.*)$", name)
    if match:  # no rules: the file itself
        return match.group(1)
    match = re.match(r"(?:file:)(.*)$", name)
    if match:
        return match.group(1)
    if re.match(r"(json:|blkdebug:|blkverify:|nbd[:+]|driver=|[a-z+]+://)", name):
        raise Theirs(name)
    return name


def by_options(text):
    """--image-opts: the file and its format, if what else is said is about alignment only."""
    keys = dict(p.partition("=")[::2] for p in text.split(","))
    path = None
    for key in list(keys):
        if key in ("file.filename", "file.image.filename", "filename"):
            path = keys.pop(key)
    for key, value in keys.items():
        if not (key == "driver" and value in ("qcow2", "raw") or key == "file.driver" and value in ("file", "blkdebug") or
                re.match(r"file\.(align|max-transfer|opt-write-zero|max-write-zero|opt-discard|max-discard|locking|"
                         r"image\.driver|image\.locking)$", key)):
            raise Theirs(text)
    if not path:
        raise Theirs(text)
    return path, keys.get("driver", "raw")


def octets_of(text):
    """What a size as text stands for; None: it has a fraction, or is none."""
    match = re.match(r"(\d+)([bkKMGTPE]?)$", text or "")
    return int(match.group(1)) << 10 * "bkmgtpe".index(match.group(2).lower() or "b") if match else None


def said(name, status, out, err):
    """Exit status and output of ours as if NAME said it."""
    err = re.sub(r"^qcow2-tool [a-z]+( [a-z]+)?: ", f"{name}: ", err, flags=re.M)
    return (1 if status else 0), out, err


# --- qemu-img --------------------------------------------------------------------------------------------------------

class Img:
    """Each command: what ran, as (exit status, stdout, stderr); `changed` are the images whose facts count."""

    def __init__(self):
        self.changed = []

    def run(self, words):
        command = getattr(self, "do_" + (words[0] if words else ""), None)
        if not command:
            raise Theirs(words)
        return command(words[1:])

    @staticmethod
    def formats(found):
        return [w for k, v in found if k == "f" for w in ("-f", v)]

    def target(self, found, name):
        """The image, with how it is named: ("-f", FMT, PATH)."""
        if ("image-opts", "") in found:
            path, driver = by_options(name)
            return ["-f", driver], path
        return self.formats(found), plain(name)

    def do_create(self, words):
        found, rest = options_of(words, "qo:f:b:F:u", {"object": "object="})
        if not rest or any(k == "object" for k, v in found) or any(
                k == "o" and re.search(r"help|\?|encrypt|nocow|extent_size", v or "") for k, v in found):
            raise Theirs(words)
        fmt = dict(found).get("f", "raw")
        path = plain(rest[0])
        if fmt not in ("qcow2", "raw"):
            raise Theirs(fmt)
        line = [w for k, v in found if k in "obF" for w in ("-" + k, v)] + ["-u"] * (("u", None) in found)
        self.changed = [path]
        status, out, err = said("qemu-img", *call(TOOL, "create", "-q", "-f", fmt, *line, path, *rest[1:]))
        if status or ("q", None) in found:
            return status, "", err
        keys = {}
        for k, v in found:
            if k == "o":
                keys.update(p.partition("=")[::2] for p in re.sub(",,", "\1", v).split(","))
        keys.update((("backing_file", "backing_fmt")["bF".index(k)], v) for k, v in found if k in ("b", "F"))
        asked = octets_of(rest[1] if len(rest) > 1 else keys.get("size"))
        size = asked if asked is not None else load(call(TOOL, "info", "-f", fmt, "--format=json", path)[1])["virtual-size"]
        text = f"Formatting '{rest[0]}', fmt={fmt} size={size}"
        for key in ("backing_file", "backing_fmt", "data_file", "data_file_raw", "preallocation"):
            if key in keys:
                text += f" {key}=" + keys[key].replace("\1", ",")
        return 0, text + "\n", err

    def do_info(self, words):
        found, rest = options_of(words, "f:U", {"output": "output=", "backing-chain": "backing-chain", "image-opts":
                                                 "image-opts", "force-share": "U"})
        how, path = self.target(found, rest[0])
        line = [f"--format={v.replace('human', 'text')}" if k == "output" else "--backing-chain" if k == "backing-chain"
                else "" for k, v in found]
        return said("qemu-img", *call(TOOL, "info", "-U", *how, *filter(None, line), path))

    def do_check(self, words):
        found, rest = options_of(words, "f:r:qUT:", {"output": "output=", "repair": "r=", "image-opts": "image-opts",
                                                      "force-share": "U"})
        how, path = self.target(found, rest[0])
        line = [*how] + [w for k, v in found if k == "r" for w in ("-r", v)] + ["-U"] * (("U", None) in found)
        if any(k == "r" for k, v in found):
            self.changed = [path]
        as_json = any(k == "output" and v == "json" for k, v in found)
        status, out, err = call(TOOL, "check", *line, *(["--format=json"] if as_json else []), path)
        if load(out):
            found = load(out)
            found.pop("findings")
            out = json.dumps(found, indent=4) + "\n"
        kind = {0: 0, 1: 3, 2: 1}.get(status, 2 if " errors were found on the image" in out or load(out) else 1)
        return kind, "" if ("q", None) in found else out, said("qemu-img", status, "", err)[2]

    def do_map(self, words):
        found, rest = options_of(words, "f:Us:l:", {"output": "output=", "image-opts": "image-opts", "start-offset": "s=",
                                                     "max-length": "l=", "force-share": "U"})
        if any(k in "sl" for k, v in found):
            raise Theirs(words)
        how, path = self.target(found, rest[0])
        line = ["--format=json" for k, v in found if k == "output" and v == "json"]
        status, out, err = said("qemu-img", *call(TOOL, "map", "-U", *how, *line, path))
        return status, their_map(out) if line and not status else out, err

    def do_snapshot(self, words):
        found, rest = options_of(words, "lc:a:d:qU", {"image-opts": "image-opts", "force-share": "U"})
        path = plain(rest[0])
        for verb, name in (("c", "create"), ("a", "apply"), ("d", "delete")):
            tag = dict(found).get(verb)
            if tag is not None:
                self.changed = [path]
                more = ["--reparent"] if verb == "d" else []
                return said("qemu-img", *call(TOOL, "snapshot", name, "-q", *more, path, tag))
        status, out, err = said("qemu-img", *call(TOOL, "snapshot", "list", "-U", path))
        return status, re.sub(r"  +[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$| +UUID$", "", out, flags=re.M), err

    def do_convert(self, words):
        found, rest = options_of(words, "f:O:o:B:F:cpqnS:t:T:Wm:l:U", {
            "image-opts": "image-opts", "target-is-zero": "target-is-zero", "force-share": "U"})
        if len(rest) < 2 or any(k == "o" and re.search(r"help|\?|encrypt", v) for k, v in found):
            raise Theirs(words)
        sources = [self.target(found, w) for w in rest[:-1]]
        target = plain(rest[-1])
        if dict(found).get("O", "raw") not in ("qcow2", "raw"):
            raise Theirs(words)
        line = [w for k, v in found if k in "OoBFStTml" for w in ("-" + k, v)]
        line += ["-" + k for k, v in found if k in "cnWU"] + ["--target-is-zero" for k, v in found if len(k) > 12]
        line += [] if any(k == "O" for k, v in found) else ["-O", "raw"]
        self.changed = [target]
        return said("qemu-img", *call(TOOL, "convert", *sources[0][0], *line, *[s[1] for s in sources], target))

    def do_resize(self, words):
        words, size = (words[:-1], words[-1]) if words and re.match(r"[-+]\d", words[-1]) else (words, None)
        found, rest = options_of(words, "f:q", {"shrink": "shrink", "preallocation": "preallocation=", "image-opts":
                                                 "image-opts"})
        if size is None and len(rest) > 1:
            size = rest.pop()
        how, path = self.target(found, rest[0])
        line = [f"--{k}={v}" if v else f"--{k}" for k, v in found if k in ("shrink", "preallocation")]
        self.changed = [path]
        status, out, err = said("qemu-img", *call(TOOL, "resize", "-q", *how, *line, path, size))
        return status, "" if status or ("q", None) in found else "Image resized.\n", err

    def do_compare(self, words):
        """By what ours reads of the two; QEMU's must agree, and has the word."""
        theirs = call(THEIR["qemu-img"], "compare", *words)
        found, rest = options_of(words, "f:F:sqpUT:", {"image-opts": "image-opts", "force-share": "U"})
        if len(rest) == 2 and theirs[0] in (0, 1) and ("s", None) not in found:
            both = []
            for name, letter in zip(rest, "fF"):
                how = ["-f", dict(found)[letter]] if letter in dict(found) else []
                how, name = self.target([], name) if ("image-opts", "") not in found else by_options(name)[::-1]
                how = ["-f", dict(found)[letter]] if letter in dict(found) else ["-f", how] if isinstance(how, str) else how
                both.append(content([TOOL, "convert", "-U", "--probe-backing", *how, "-O", "raw", name], 0))
            if (both[0] == both[1]) != (theirs[0] == 0) and "unreadable" not in both:
                return theirs[0], theirs[1] + f"(ours reads them otherwise: {both})\n", theirs[2]
        return theirs


def their_map(text):
    """The JSON of map in qemu-img's form: an extent a line, without what only ours has."""
    lines = []
    for e in json.loads(text):
        e.pop("compressed", None)
        lines.append("{ " + json.dumps(e)[1:])
    return "[" + ",\n".join(lines) + "]\n"


# --- qemu-io ---------------------------------------------------------------------------------------------------------

def amount(octets):
    """As qemu-io has sizes: three decimals, unless they are zeros."""
    for shift, unit in ((60, "EiB"), (50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if octets >= 1 << shift:
            text = "%.3f" % (octets / (1 << shift))
            return (text[:-4] if text.endswith(".000") else text) + " " + unit
    return f"{octets} bytes"


REASONS = {"the disk ends at": "Input/output error", "No space left on device": "Input/output error"}


def io_said(line):
    """What qemu-io would say where `io` says this."""
    match = re.match(r"(read|wrote|discard) (\d+)/\d+ bytes at offset \d+$", line)
    if match:
        return f"{line}\n{amount(int(match.group(2)))}, 1 ops; 00.00 sec (1 MiB/sec and 1 ops/sec)"
    match = re.match(r"(\d+/\d+ bytes allocated at offset )(\d+)$", line)
    if match:
        return match.group(1) + amount(int(match.group(2)))
    match = re.match(r"(\d+) bytes (not )?allocated at offset (\d+)$", line)
    if match:
        size, at = int(match.group(1)), int(match.group(3))
        return f"{amount(size)} (0x{size:x}) bytes {match.group(2) or '    '}allocated at offset {amount(at)} (0x{at:x})"
    if re.match(r"\d+$", line):
        return amount(int(line))
    match = re.match(r"qcow2-tool io: '.* -P (\S+).*not '\1'", line)
    if match:
        return match.group(1) + " is not a valid pattern byte"
    match = re.match(r"qcow2-tool io: .*?: ((?:aio_)?(?:write|read|discard)v?)\b.*: (.*)$", line)
    if match:
        return f"{match.group(1)} failed: " + next((v for k, v in REASONS.items() if k in match.group(2)), match.group(2))
    match = re.match(r"qcow2-tool io: .* cannot write: (.*)$", line)
    return "write failed: " + match.group(1) if match else line.replace("qcow2-tool io: ", "qemu-io: ")


def open_words(found):
    """How `qcow2-tool io` opens what qemu-io does."""
    line = []
    for k, v in found:
        if k == "f":
            line += ["-f", v]
        elif k in "rU":
            line += ["-" + k]
        elif k == "n":
            line += ["-t", "none"]
        elif k == "t":
            line += ["-t", v]
        elif k == "o":
            for option in v.split(","):
                key, _, value = option.partition("=")
                if key in ("l2-cache-size", "refcount-cache-size") and re.match(r"\d+[kMG]?$", value):
                    line += ["--" + key[:-5], value]
                elif key in ("driver",):
                    line += ["-f", value]
                elif key not in ("align", "file.align","overlap-check", "overlap-check.template", "cache-clean-interval",
                                 "cache-size", "l2-cache-entry-size"):
                    raise Theirs(option)
        elif k in ("s", "C", "object"):
            raise Theirs(k)
    return line


class Io:
    """qemu-io: its commands in the order that they have, for each image that is open at a time."""

    names = {"cache": "t=", "aio": "i=", "cmd": "c=", "format": "f=", "read-only": "r", "nocache": "n", "object": "object=",
             "image-opts": "image-opts", "snapshot": "s", "copy-on-read": "C", "discard": "d=", "force-share": "U",
             "native-aio": "k", "misalign": "m", "trace": "T="}

    def __init__(self):
        self.changed = []
        self.data = None

    def command(self, text):
        """In our words; None: none of ours."""
        words = shlex.split(text)
        if not words:
            return ""
        words[0] = {"r": "read", "w": "write", "t": "truncate"}.get(words[0], words[0])
        if words[0] in ("read", "write", "readv", "writev", "aio_read", "aio_write"):
            for i, w in enumerate(words[1:], 1):
                if re.match(r"-[a-zA-Z]+$", w) and words[i - 1] not in ("-P", "-s", "-l"):
                    w = w.replace("p", "").replace("C", "").replace("r", "")
                    words[i] = "" if w == "-" else w
                if "b" in w and w.startswith("-") or "n" in w and w.startswith("-"):
                    raise Theirs(text)
        elif words[0] == "discard":
            words = [w for w in words if w != "-C"]
        elif words[0] not in ("flush", "aio_flush", "alloc", "map", "length", "truncate", "sigraise"):
            raise Theirs(text)
        return " ".join(shlex.quote(w) for w in words if w)

    def parts(self, found, name, commands):
        """[(how, path, [command, ...])], one for each time that an image is open."""
        base = [p for p in found if p[0] != "c"]
        now, out = None, []
        if name is not None:
            path, driver = by_options(name) if ("image-opts", "") in found else (plain(name), None)
            now = (open_words(base) + (["-f", driver] if driver else []), path, [])
            out.append(now)
        for text in commands:
            word = text.split()[0] if text.split() else ""
            if word in ("q", "quit"):
                break
            if word == "close":
                now = None
            elif word in ("open", "reopen"):
                more, rest = options_of(shlex.split(text)[1:], "rnUsCkt:o:f:c:w", {"image-opts": "image-opts"})
                if word == "reopen":
                    mode = ["-r"] if ("r", None) in more else []
                    now = ([w for w in now[0] if w != "-r" or ("w", None) not in more] + mode + open_words(
                        [p for p in more if p[0] == "o"]), now[1], [])
                else:
                    names = [v[len("file.filename="):] for k, v in more if k == "o" and v.startswith("file.filename=")]
                    path = plain((rest or names)[0])
                    now = (open_words([p for p in base if p[0] in "f"] + [p for p in more if not (
                        p[0] == "o" and "file.filename=" in p[1])]), path, [])
                out.append(now)
            else:
                if now is None:
                    raise Theirs(text)
                now[2].append(self.command(text))
        return out

    def run(self, words):
        found, rest = options_of(words, "c:rsnCkU m d:f:t:i:qo:T:".replace(" ", ""), self.names)
        commands = [v for k, v in found if k == "c"]
        if not commands:
            self.data = sys.stdin.buffer.read()
            commands = self.data.decode().splitlines()
        status, out = 0, ""
        parts = self.parts(found, rest[0] if rest else None, commands)
        for how, path, texts in parts:
            if "-r" not in how and any(re.match("write|aio_write|discard|truncate|w", t) for t in texts):
                self.changed.append(path)
        for how, path, texts in parts:
            line = [w for t in texts for w in ("-c", t)] or ["-c", ""]
            p = subprocess.run([TOOL, "io", *how, *line, path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
            out += "".join(io_said(x) + "\n" for x in p.stdout.decode(errors="replace").splitlines())
            status = p.returncode if p.returncode < 0 else 1 if p.returncode else status
            if status < 0:
                break
        return status, out, ""


# --- the program -----------------------------------------------------------------------------------------------------

def run_theirs(name, words, data):
    stdin = subprocess.DEVNULL if name == "qemu-img" else None
    out, err = os.fstat(1), os.fstat(2)
    both = (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino)  # in the order that it is said
    p = subprocess.run([THEIR[name], *words], input=data, stdin=None if data is not None else stdin,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT if both else subprocess.PIPE)
    return p.returncode, p.stdout.decode(errors="replace"), (p.stderr or b"").decode(errors="replace")


def images_in(words):
    """What may be images among the words, and of the commands in them."""
    names = []
    for word in words:
        for part in re.split(r"[ ,=']", word):
            part = re.sub(r"^(blkdebug:[^:]*:|file:)", "", part)
            if part.startswith("/") or re.match(r"t\.|\./", part):
                names.append(part)
    return names


def is_looked_at(words):
    """Of a test with many commands, the images after each of the first, after each 25th, and where they are checked."""
    with open(os.environ["IOTESTS_LOG"], "rb") as f:
        index = sum(1 for _ in f)
    return index < 10 or index % 25 == 0 or words[:1] == ["check"]


def changes(name, words, data):
    if name == "qemu-io":
        text = " ".join(words) + (data or b"").decode(errors="replace")
        return re.search(r"\b(w|write|writev|aio_write|discard|truncate|reopen|open)\b", text)
    return words and words[0] in ("create", "convert", "snapshot", "resize", "rebase", "commit", "amend", "dd", "bitmap",
                                   "check")


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    name, words = sys.argv[1], sys.argv[2:]
    by, data, why = "theirs", None, ""
    if name == "qemu-io" and not any(w.startswith("-c") or w.startswith("--cmd") for w in words) and not sys.stdin.isatty():
        data = sys.stdin.buffer.read()
        commands = data.decode(errors="replace").splitlines()
    if OURS:
        shim = Img() if name == "qemu-img" else Io()
        try:
            more = [] if data is None else [w for c in commands if c.strip() for w in ("-c", c)] or ["-c", ""]
            status, out, err = shim.run(words if data is None else more + words)
            by = "ours"
        except (Theirs, IndexError, ValueError) as e:
            why = f"{type(e).__name__}: {e}"
            status, out, err = run_theirs(name, words, data)
    else:
        status, out, err = run_theirs(name, words, data)
    sys.stdout.write(out)
    sys.stdout.flush()
    sys.stderr.write(err)
    record = {"program": name, "words": words, "commands": None if data is None else data.decode(errors="replace")[:4000],
              "by": by, "why": why, "status": status, "out": (out + err)[-4000:]}
    if is_looked_at(words) and changes(name, words, data):
        record["facts"] = all_facts(dict.fromkeys(images_in(words)))
    with open(os.environ["IOTESTS_LOG"], "a", encoding="utf-8") as log:
        log.write(json.dumps(record) + "\n")
    if status < 0:
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
