"""commands-migration.py: what clients set for migrations, and what they are told of them. Cases for
test-commands-migration.sh; speaks TAP. Values and bounds are QEMU 7.2's.

No guest runs: the machine stands at its start, without processors.
"""
import sys

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


if __name__ == "__main__":
    sys.exit(server.main())
