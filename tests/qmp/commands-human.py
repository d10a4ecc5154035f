"""commands-human.py: commands for people, by way of human-monitor-command. Cases for test-commands-human.sh; speaks TAP.

No guest runs: the machine stands at its start, without processors.
"""
import os
import sys

import server
from server import with_machine

server.CASES.clear()
case = server.case
DEVICES = ["-name", "Anna", "-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,id=net0,romfile=",
           "-chardev", "ringbuf,id=ring"]


def do(client, line):
    return client.ask("human-monitor-command", **{"command-line": line})


def listed(text):
    """The commands that help or info tells, each with its arguments."""
    heads = [line.split(" -- ")[0].split() for line in text.splitlines()]
    assert all(" -- " in line and line.split(" -- ")[1] for line in text.splitlines()), text
    return heads


@case("every command that help tells has help of its own, from the schema")
@with_machine(options=DEVICES)
def _(machine):
    client = machine.client()
    names = [head[0] for head in listed(do(client, "help")) if head[0] not in ("help", "info")]
    assert len(names) >= 38 and sorted(names) == names, names
    for name in names:
        text = do(client, "help " + name)
        assert text.startswith(name) and " -- " in text, text
    assert "compress=" in do(client, "help migrate")


@case("all that info knows can be asked for")
@with_machine(options=DEVICES)
def _(machine):
    client = machine.client()
    asked = 0
    for head in listed(do(client, "info")):
        if len([word for word in head[2:] if word[0] != "["]) == 0:
            text = do(client, " ".join(head[:2]))
            assert not text.startswith("Error") or head[1] in ("dump", "balloon"), (head, text)
            asked += 1
    assert asked > 25, asked
    assert do(client, "info name") == "Anna\n"
    assert do(client, "info status") == "VM status: paused (prelaunch)\n"
    assert do(client, "info network").startswith("n0: type=user, used by net0\n")


@case("words become arguments: by place, by letter, as keys, in quotes, and the rest of a line")
@with_machine(options=DEVICES)
def _(machine):
    client = machine.client()
    path = os.path.join(machine.folder, "a, b.mem")
    assert do(client, 'pmemsave 0xffff0 5 "%s"' % path) == ""
    with open(path, "rb") as file:
        assert file.read()[:1] == b"\xea"
    assert do(client, "set_link net0 off") == ""
    assert do(client, "sendkey ctrl-alt-delete") == ""
    assert do(client, "sendkey ctrl-altt").startswith("Error: sendkey.keys[1].data: unknown value 'altt'; did you mean 'alt'?")
    assert do(client, "netdev_add user,id=n1,net=10.1.0.0/24,restrict=on") == ""
    assert "n1: type=user, used by nothing\n" in do(client, "info network")
    assert do(client, "netdev_del n1") == ""
    assert do(client, "ringbuf_write ring two words, and more") == ""
    assert do(client, "ringbuf_read ring 100") == "two words, and more\n"
    assert do(client, "device_add virtio-rng-pci,id=rng9") == ""
    assert do(client, "device_del rng9") == ""
    assert do(client, "   info    status  ") == "VM status: paused (prelaunch)\n"
    assert do(client, "") == do(client, "   ") == ""


@case("what is wrong is told with what would be right")
@with_machine(options=DEVICES)
def _(machine):
    client = machine.client()
    for line, said in (
            ("pmemsave 0 1", "Error: pmemsave: 'filename' is missing (it is: pmemsave val size filename)\n"),
            ("stop now", "Error: stop: there is too much: 'now' (it is: stop)\n"),
            ("migrate -q x", "Error: migrate: there is no option '-q' (it is: migrate [-d] [-b] [-z] uri)\n"),
            ("set_link net0 maybe", "Error: set_link.up: 'maybe' is neither on nor off\n"),
            ("sendkey", "Error: sendkey: 'keys' is missing (it is: sendkey keys [hold-time])\n"),
            ("job_cancel copy", "Error: there is no job 'copy' (jobs: none)\n")):
        assert do(client, line) == said, (line, do(client, line))
    assert do(client, "sotp").startswith("Error: unknown command 'sotp'; did you mean 'stop'? (accepted: ")
    assert do(client, "info blok").startswith("Error: unknown question 'blok'; did you mean 'block'? (accepted: ")
    assert do(client, "netdev_add usr,id=n1").startswith("Error: netdev_add.type: unknown value 'usr'; did you mean 'user'?")
    assert do(client, '"').startswith("Error") or do(client, '"') == ""


if __name__ == "__main__":
    sys.exit(server.main())
