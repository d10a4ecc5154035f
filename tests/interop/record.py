"""Records a configuration: starts QEMU, lets the guest run if it should, migrates, and leaves the streams in files."""

import os
import re
import shlex
import subprocess
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from qemu import PATIENCE, Qemu, QemuError, Relay

# What the disks boot: copies the BIOS all over 64 KiB..576 KiB, and then changes one word in each page there, 18 times
# a second, for ever. So there are pages worth compressing, and always some that are dirty.
BOOT_SECTOR = bytes.fromhex(
    "fc b80010"  # cld; mov ax, 0x1000
    "8ec0 6800f0 1f 31f6 31ff b90080 f3a5 050010 3d0090 72e9"  # copy f000:0 to ax:0, ax += 0x1000, until 0x9000
    "fb 31db"  # sti; xor bx, bx
    "b80010"  # again: mov ax, 0x1000
    "8ec0 26ff07 050001 3d0090 72f3"  # inc word [ax:bx], ax += 0x100, until 0x9000
    "83c307 81e3ff0f f4 ebe6"  # bx = (bx + 7) & 0xfff; hlt; jmp again
).ljust(510, b"\0") + b"\x55\xaa"

MIB = 1 << 20


@dataclass
class Recording:
    main: Path
    channels: list = field(default_factory=list)  # (path, kind)
    cut: bool = False  # the main channel was cut on purpose
    sibling: Path = None  # a stream that describes the same machine, for one that does not
    saved: Path = None  # guest memory from address 0 on, as QEMU saves it
    below: int = 0  # octets of it below 4 GiB, and where it ends, by QEMU's own memory map
    top: int = 0


# --- files that arguments can name ------------------------------------------------------------------------------------


def _raw(path, size):
    path.write_bytes(BOOT_SECTOR + bytes(range(256)) * 64)
    os.truncate(path, size)


def _qcow2(path):
    _raw(path.with_suffix(".tmp"), 8 * MIB)
    subprocess.run(["qemu-img", "convert", "-q", "-O", "qcow2", path.with_suffix(".tmp"), path], check=True,
                   timeout=PATIENCE)
    path.with_suffix(".tmp").unlink()


MEDIA = {
    "raw": lambda path: _raw(path, 8 * MIB),
    "raw2": lambda path: _raw(path, 4 * MIB),
    "qcow2": _qcow2,
    "floppy": lambda path: _raw(path, 1440 * 1024),
    "cdrom": lambda path: _raw(path, 2 * MIB),
    "flash": lambda path: _raw(path, MIB // 4),
    "dir": lambda path: path.mkdir(),
    "new": lambda path: None,  # QEMU makes it
}


def _make_media(config, folder):
    for name in set(re.findall(r"\{(\w+)\}", config.args)):
        MEDIA[name](folder / name)


def _arguments(config, folder):
    """QEMU's arguments, with the names of files for {raw} and the like."""
    arguments = shlex.split(config.args.format(**{name: str(folder / name) for name in MEDIA}))
    nothing = [] if config.defaults else ["-nodefaults"]
    return ["-display", "none", "-no-user-config", *nothing, "-M", config.machine, "-accel", config.accel, "-m",
            config.memory, *arguments, "-S"]


# --- migrating --------------------------------------------------------------------------------------------------------


def _run_guest(qemu, config):
    if not config.run:
        return
    qemu.command("cont")
    time.sleep(config.seconds)
    if config.run == "stop":
        qemu.command("stop")


def _start_file(qemu, config, path):
    # the file gets its name when cat has seen the end, which is after QEMU says "completed"
    part = shlex.quote(f"{path}.part")
    qemu.command("migrate", uri=f"exec:cat >{part} && mv {part} {shlex.quote(str(path))}", **config.migrate)


def _await_file(path):
    end = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > end:
            raise QemuError("the end of the stream was not written")
        time.sleep(0.01)


def _to_file(qemu, config, folder):
    path = folder / "main"
    _start_file(qemu, config, path)
    if config.how == "rounds":  # slow, so that memory is sent several times
        qemu.wait_migration(lambda info: info.get("ram", {}).get("dirty-sync-count", 0) >= 5)
        qemu.command("migrate-set-parameters", **{"max-bandwidth": 1 << 34, "downtime-limit": 5000})
    qemu.wait_completed()
    _await_file(path)
    return Recording(path)


def _destination(config, folder, address, arguments):
    """A second QEMU of the same kind, which waits for a migration."""
    other = Qemu([*arguments, "-incoming", "defer"], folder, "destination")
    try:
        other.set_capabilities(config.capabilities)
        if config.channel_parameters:
            other.command("migrate-set-parameters", **config.channel_parameters)
        other.command("migrate-incoming", uri=f"unix:{address}")
    except BaseException:
        other.end()
        raise
    return other


def _switch_to_postcopy(qemu):
    qemu.wait_migration(lambda info: info.get("status") == "active" and info["ram"]["transferred"] > 100000)
    qemu.command("migrate-start-postcopy")
    qemu.wait_migration(lambda info: info.get("status") == "postcopy-active")


def _cut_and_recover(qemu, other, relay, folder):
    """Breaks the link in the middle of postcopy and goes on over a second one. Returns the second relay."""
    time.sleep(0.3)
    for channel in relay.channels:
        channel.cut()
    for end in (qemu, other):
        end.wait_migration(lambda info: info.get("status") == "postcopy-paused")
    again = Relay(folder, folder / "again")
    other.command("migrate-recover", uri=f"unix:{folder / 'again'}")
    qemu.command("migrate", uri=f"unix:{again.path}", resume=True)
    return again


def _channels(config, relay):
    kind = "multifd" if "multifd" in config.capabilities else "preempt"
    channels = [(channel.forward, kind) for channel in relay.channels[1:]]
    channels += [(channel.back, "return-path") for channel in relay.channels if channel.back.stat().st_size]
    return channels


def _to_destination(qemu, config, folder, arguments):
    address, again = folder / "incoming", None
    with _destination(config, folder, address, arguments) as other, Relay(folder, address) as relay:
        qemu.command("migrate", uri=f"unix:{relay.path}", **config.migrate)
        if config.how in ("postcopy", "recover"):
            _switch_to_postcopy(qemu)
        if config.how == "recover":
            again = _cut_and_recover(qemu, other, relay, folder)
        if config.how != "relay":
            qemu.command("migrate-set-parameters", **{"max-postcopy-bandwidth": 0})
        qemu.wait_completed()
        other.wait_completed()
        other.end()
        relay.finish()
        recording = Recording(relay.channels[0].forward, _channels(config, relay), cut=again is not None)
        if again:
            again.finish()
            channel = again.channels[0]
            recording.channels += [(channel.forward, "recovery"), (channel.back, "return-path")]
    return recording


# --- guest memory -----------------------------------------------------------------------------------------------------


def _memory_map(qemu):
    """Where the parts of guest memory below and above 4 GiB end; QEMU names them in its memory map."""
    found = re.findall(r"-([0-9a-f]{16}) .*alias (ram-below-4g|ram-above-4g) ", qemu.human("info mtree"))
    ends = {name: int(end, 16) + 1 for end, name in found}
    return ends["ram-below-4g"], max(ends.values())


def _save_memory(qemu, config, folder, recording):
    if not config.ram:
        return
    recording.below, recording.top = _memory_map(qemu)
    recording.saved = folder / "memory"
    qemu.command("pmemsave", val=0, size=min(recording.below, 128 * MIB), filename=str(recording.saved))


def _record_sibling(config, folder):
    """The same machine once more, with a description. Where the guest has run, it may be in another state."""
    machine = config.machine if config.how != "file" else f"{config.machine},suppress-vmdesc=off"
    plain = replace(config, machine=machine, how="file", capabilities=(), parameters={}, ram=False)
    (folder / "sibling").mkdir()
    return record(plain, folder / "sibling").main


def record(config, folder):
    """Records `config` in `folder`, which is empty. Raises QemuError."""
    _make_media(config, folder)
    arguments = _arguments(config, folder)
    with Qemu(arguments, folder) as qemu:
        qemu.command("migrate-set-parameters", **{"max-bandwidth": 1 << 34})
        if config.capabilities:
            qemu.set_capabilities(config.capabilities)
        if config.channel_parameters or config.parameters:
            qemu.command("migrate-set-parameters", **config.channel_parameters, **config.parameters)
        for name, values in config.setup:
            qemu.command(name, **values)
        _run_guest(qemu, config)
        if config.how in ("file", "rounds"):
            recording = _to_file(qemu, config, folder)
        else:
            recording = _to_destination(qemu, config, folder, arguments)
        _save_memory(qemu, config, folder, recording)
    if not config.described and not config.run:
        recording.sibling = _record_sibling(config, folder)
    return recording
