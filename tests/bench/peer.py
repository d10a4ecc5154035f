"""Fetches the peer, QEMU's scripts/analyze-migration.py, from the source package of qemu. It is no part of this tree,
and no Debian package installs it; a copy is kept in build/bench."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

SCRIPT = "scripts/analyze-migration.py"
SECONDS = 900


class Unavailable(Exception):
    """Why there is no peer."""


def as_source(text, deb822):
    """The sources of binary packages, made sources of source packages."""
    lines = []
    for line in text.splitlines():
        words = line.split()
        if deb822 and line.lower().startswith("types:"):
            line = "Types: deb-src"
        elif not deb822 and words and words[0] in ("deb", "deb-src"):
            line = " ".join(["deb-src"] + words[1:])
        lines.append(line)
    return "\n".join(lines) + "\n"


def write_sources(folder):
    """The system's own sources, as a configuration of apt in `folder`. Returns apt's options for it."""
    parts, lists, archives = (folder / name for name in ("sources.list.d", "lists", "archives"))
    for made in (parts, lists / "partial", archives / "partial"):
        made.mkdir(parents=True)
    main, found = folder / "sources.list", Path("/etc/apt/sources.list")
    main.write_text(as_source(found.read_text(), deb822=False) if found.is_file() else "")
    for path in Path("/etc/apt/sources.list.d").glob("*"):
        if path.suffix in (".list", ".sources"):
            (parts / path.name).write_text(as_source(path.read_text(), path.suffix == ".sources"))
    settings = {
        "Dir::Etc::sourcelist": main,
        "Dir::Etc::sourceparts": parts,
        "Dir::State::lists": lists,
        "Dir::Cache::archives": archives,
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Sandbox::User": "root",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def run(command, folder):
    """What it had to say on standard error."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired as expired:
        raise Unavailable(f"{command[0]} took more than {SECONDS} s") from expired
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise Unavailable(f"{command[0]} {command[-1]}: {said[-1]}")
    return done.stderr.strip().splitlines()


def extract(folder, to):
    """Takes the one file out of the tarball of the original source. Returns the package's version."""
    found = sorted(folder.glob("qemu_*.orig.tar.*"))
    found = [path for path in found if path.suffix != ".asc"]
    if not found:
        raise Unavailable("the source package of qemu has no .orig.tar")
    with tarfile.open(found[0], "r|*") as archive:
        for member in archive:
            if member.isfile() and member.name.endswith("/" + SCRIPT):
                to.write_bytes(archive.extractfile(member).read())
                return found[0].name.split("_")[1].split(".orig")[0]
    raise Unavailable(f"{found[0].name} has no {SCRIPT}")


def fetch(cache):
    """The path of the script and the version it is from; raises Unavailable."""
    script, note = cache / "analyze-migration.py", cache / "analyze-migration.version"
    if script.exists() and note.exists():
        return script, note.read_text().strip()
    if not shutil.which("apt-get"):
        raise Unavailable("there is no apt-get to fetch QEMU's source package with")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="peer-", dir=cache) as name:
        folder = Path(name)
        options = write_sources(folder)
        warnings = run(["apt-get", *options, "-q", "update"], folder)
        try:
            run(["apt-get", *options, "-q", "source", "--download-only", "qemu"], folder)
        except Unavailable as reason:
            raise Unavailable(f"{warnings[0]}; {reason}" if warnings else str(reason)) from reason
        new = folder / "script"
        version = extract(folder, new)
        note.write_text(version + "\n")
        new.replace(script)
    return script, version
