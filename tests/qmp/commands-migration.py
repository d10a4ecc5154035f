"""commands-migration.py: what clients set for migrations, and what they are told of them. Cases for
test-commands-migration.sh; speaks TAP. Values and bounds are QEMU 7.2's.

No guest runs: the machine stands at its start, without processors.
"""
import os
import socket
import sys
import time

import server
from server import with_machine

server.CASES.clear()
case = server.case

USUAL = {
    "announce-initial": 50, "announce-max": 550, "announce-rounds": 5, "announce-step": 100, "compress-level": 1,
    "compress-threads": 8, "compress-wait-thread": True, "decompress-threads": 2, "throttle-trigger-threshold": 50,
    "cpu-throttle-initial": 20, "cpu-throttle-increment": 10, "cpu-throttle-tailslow": False, "tls-creds": "",
    "tls-hostname": "", "tls-authz": "", "max-bandwidth": 134217728, "downtime-limit": 300,
    "x-checkpoint-delay": 20000, "block-incremental": False, "multifd-channels": 2, "multifd-compression": "none",
    "multifd-zlib-level": 1, "multifd-zstd-level": 1, "max-cpu-throttle": 99, "max-postcopy-bandwidth": 0,
    "xbzrle-cache-size": 67108864}


def refused(client, command, **arguments):
    error = client.refused({"execute": command, "arguments": arguments})
    assert error["class"] == "GenericError", error
    return error["desc"]


@case("parameters are QEMU's, and stay what they were set to")
@with_machine()
def _(machine):
    client = machine.client()
    assert client.ask("query-migrate-parameters") == USUAL
    new = {"max-bandwidth": 1 << 63, "downtime-limit": 0, "cpu-throttle-initial": 99, "cpu-throttle-increment": 1,
           "throttle-trigger-threshold": 100}
    assert client.ask("migrate-set-parameters", **new) == {}
    assert client.ask("query-migrate-parameters") == dict(USUAL, **new)
    assert client.ask("migrate-set-parameters", **USUAL) == {}
    assert client.ask("migrate-set-parameters", **{"tls-creds": None}) == {}
    assert client.ask("query-migrate-parameters") == USUAL


@case("a parameter out of its bounds is refused, and none of the others is set")
@with_machine()
def _(machine):
    client = machine.client()
    for name, value, bounds in (("downtime-limit", 2000001, "0 and 2000000"), ("downtime-limit", -1, "0 and 2000000"),
                                ("cpu-throttle-initial", 0, "1 and 99"), ("throttle-trigger-threshold", 0, "1 and 100"),
                                ("max-cpu-throttle", 10, "cpu-throttle-initial (20) and 99"),
                                ("multifd-channels", 0, "1 and 255"), ("multifd-zstd-level", 21, "0 and 20")):
        said = refused(client, "migrate-set-parameters", **{"max-bandwidth": 5, name: value})
        assert said == "Parameter '%s' expects a value between %s, not %d" % (name, bounds, value), said
    assert client.ask("query-migrate-parameters") == USUAL


@case("what is not there yet is refused, not forgotten")
@with_machine()
def _(machine):
    client = machine.client()
    for name, value, text in (("compress-wait-thread", False, "false is not there yet (accepted: true)"),
                              ("max-postcopy-bandwidth", 1, "1 is not there yet (accepted: 0)"),
                              ("tls-creds", "x", "'x' is not there yet: no TLS")):
        said = refused(client, "migrate-set-parameters", **{"max-bandwidth": 5, name: value})
        assert said == "Parameter '%s': %s" % (name, text), said
    assert client.ask("query-migrate-parameters") == USUAL


def wanted(*names, state=True):
    return {"capabilities": [{"capability": name, "state": state} for name in names]}


def outcome(client):
    """Waits for the end of a migration."""
    end = time.time() + server.PATIENCE
    while True:
        info = client.ask("query-migrate")
        if info["status"] in ("completed", "failed", "cancelled"):
            return info
        assert time.time() < end, info
        time.sleep(0.01)


@case("capabilities that are not there are refused, all with them; each can be switched off")
@with_machine()
def _(machine):
    client = machine.client()
    there = ("auto-converge", "events", "return-path", "pause-before-switchover", "multifd")
    assert [c["capability"] for c in client.ask("query-migrate-capabilities")] == list(there)
    said = refused(client, "migrate-set-capabilities", **wanted("events", "xbzrle"))
    assert said == ("migrate-set-capabilities.capabilities[1]: 'xbzrle' is not there (accepted: %s)" % ", ".join(there)), said
    assert not any(c["state"] for c in client.ask("query-migrate-capabilities"))
    assert client.ask("migrate-set-capabilities", **wanted(*there)) == {}
    assert all(c["state"] for c in client.ask("query-migrate-capabilities"))
    assert client.ask("migrate-set-capabilities", **wanted("xbzrle", *there, state=False)) == {}
    assert not any(c["state"] for c in client.ask("query-migrate-capabilities"))


@case("steps and passes of a migration are told if that is wanted")
@with_machine()
def _(machine):
    client = machine.client()
    assert client.ask("query-migrate") == {}
    client.ask("migrate", uri="exec:cat >/dev/null")
    assert outcome(client)["status"] == "completed"
    assert not any(e["event"].startswith("MIGRATION") for e in client.events), client.events
    assert client.ask("query-status")["status"] == "postmigrate"
    client.ask("migrate-set-capabilities", **wanted("events"))
    client.ask("migrate", uri="exec:cat >/dev/null")
    assert [client.event("MIGRATION")["data"]["status"] for _ in range(3)] == ["setup", "active", "completed"]
    assert client.event("MIGRATION_PASS")["data"] == {"pass": 1}


@case("what a migration was is told in figures")
@with_machine()
def _(machine):
    client = machine.client()
    client.ask("migrate", uri="exec:cat >/dev/null")
    info = outcome(client)
    ram = info["ram"]
    assert set(info) == {"status", "ram", "total-time", "downtime", "setup-time"}, info
    assert ram["page-size"] == 4096 and ram["normal-bytes"] == 4096 * ram["normal"], ram
    assert ram["total"] > 16 << 20 and ram["remaining"] == 0 and ram["total"] <= 4096 * (ram["duplicate"] + ram["normal"])
    assert ram["transferred"] > ram["normal-bytes"] > 0 and ram["dirty-sync-count"] >= 2
    assert ram["precopy-bytes"] + ram["downtime-bytes"] == ram["transferred"]
    assert 0 <= info["downtime"] <= info["total-time"]


@case("a migration that waits before its end can go on, or be cancelled")
@with_machine()
def _(machine):
    client = machine.client()
    said = refused(client, "migrate-continue", state="pre-switchover")
    assert said == "Migration not in expected state: none", said
    client.ask("migrate-set-capabilities", **wanted("events", "pause-before-switchover"))
    for verb, then in (("migrate_cancel", ["cancelling", "cancelled"]), ("migrate-continue", ["device", "completed"])):
        client.ask("migrate", uri="exec:cat >/dev/null")
        assert [client.event("MIGRATION")["data"]["status"] for _ in range(3)] == ["setup", "active", "pre-switchover"]
        assert client.ask("query-status") == {"running": False, "singlestep": False, "status": "finish-migrate"}
        assert refused(client, "cont") == "Migration is not finalized yet"
        assert refused(client, "migrate", uri="exec:cat") == "There's a migration process in progress"
        assert "another place" in refused(client, "migrate-set-capabilities", **wanted("events"))
        client.ask(verb, **({"state": "pre-switchover"} if verb == "migrate-continue" else {}))
        assert [client.event("MIGRATION")["data"]["status"] for _ in range(2)] == then
        assert client.ask("query-status")["status"] == {"cancelled": "prelaunch", "completed": "postmigrate"}[then[1]]


@case("a peer that does not read holds nothing up that is cancelled")
@with_machine()
def _(machine):
    client = machine.client()
    client.ask("migrate-set-capabilities", **wanted("events"))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.join(machine.folder, "stalls"))
    listener.listen(1)
    for uri in ("unix:" + os.path.join(machine.folder, "stalls"), "exec:exec sleep 100"):
        client.ask("migrate", uri=uri)
        time.sleep(0.2)
        assert client.ask("query-migrate")["status"] in ("setup", "active")
        client.ask("migrate_cancel")
        assert outcome(client)["status"] == "cancelled"
        assert client.ask("query-status")["status"] == "prelaunch"
    listener.close()


@case("why a migration has failed is told, and the machine is what it was")
@with_machine()
def _(machine):
    client = machine.client()
    assert "no way to move a stream" in refused(client, "migrate", uri="ftp:x")
    for uri, why in (("unix:/nowhere/x", "unix:/nowhere/x: connecting: No such file or directory"),
                     ("exec:exit 3", "exec:exit 3: writing failed: Broken pipe"),
                     ("exec:cat >/dev/null; exit 3", "exec:cat >/dev/null; exit 3: the command has ended with status 3")):
        client.ask("migrate", uri=uri)
        info = outcome(client)
        assert info == {"status": "failed", "error-desc": why}, info
        assert client.ask("query-status")["status"] == "prelaunch"


if __name__ == "__main__":
    sys.exit(server.main())
