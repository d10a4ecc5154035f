"""commands-net.py: what clients ask of networks and of what cards take of them. Cases for test-commands-net.sh; speaks
TAP. The shapes are QEMU 7.2's, but for query-netdev, which QEMU does not have.

No guest runs: the machine stands at its start, without processors.
"""
import sys

import server
from server import with_machine

server.CASES.clear()
case = server.case
CARD = ["-netdev", "user,id=n0,hostfwd=tcp:127.0.0.1:0-:22", "-device",
        "virtio-net-pci,netdev=n0,id=net0,romfile=,mac=52:54:00:11:22:33"]


def refused(client, command, **arguments):
    error = client.refused({"execute": command, "arguments": arguments})
    return error["class"], error["desc"]


@case("networks are told with what they were made of, and who uses them")
@with_machine(options=CARD)
def _(machine):
    client = machine.client()
    found = client.ask("query-netdev")
    assert [(n["device"], n["type"], n["peer"]) for n in found] == [("n0", "user", "net0")], found
    assert found[0]["info"]["hostfwd"] == [{"str": "tcp:127.0.0.1:0-:22"}], found
    text = client.ask("human-monitor-command", **{"command-line": "info network"})
    assert text.startswith("n0: type=user, used by net0\n"), text


@case("networks come and go, but not from under a card")
@with_machine(options=CARD)
def _(machine):
    client = machine.client()
    assert client.ask("netdev_add", type="user", id="n1", restrict=True, net="10.1.0.0/24") == {}
    second = client.ask("query-netdev")[1]
    assert (second["device"], second["info"]["restrict"], second["info"]["net"]) == ("n1", True, "10.1.0.0/24")
    assert "peer" not in second
    assert refused(client, "netdev_add", type="user", id="n1")[0] == "GenericError"
    assert refused(client, "netdev_add", type="user", id="1 n")[0] == "GenericError"
    assert refused(client, "netdev_add", type="none", id="n2")[1] == \
        "netdev_add.type: 'none' is no network (accepted: user, tap, socket, vde)"
    assert refused(client, "netdev_add", type="socket", id="n2") == (
        "GenericError", "netdev_add.type: a socket needs exactly one of fd, listen, connect, mcast and udp")
    assert client.ask("netdev_add", type="socket", id="n2", listen="127.0.0.1:0") == {}
    assert refused(client, "netdev_del", id="n0") == ("GenericError", "the network 'n0' is in use by a card")
    assert client.ask("netdev_del", id="n1") == {}
    assert refused(client, "netdev_del", id="n1") == ("DeviceNotFound", "Device 'n1' not found")
    assert [n["device"] for n in client.ask("query-netdev")] == ["n0", "n2"]


@case("what a network was told it tells")
@with_machine()
def _(machine):
    client = machine.client()
    options = {
        "hostname": "guest", "restrict": True, "ipv4": True, "ipv6": True, "net": "10.0.3.0/24", "host": "10.0.3.2",
        "tftp": machine.folder, "bootfile": "boot", "dhcpstart": "10.0.3.16", "dns": "10.0.3.3",
        "dnssearch": [{"str": "a.example"}, {"str": "b.example"}], "domainname": "example", "ipv6-prefix": "fec1::",
        "ipv6-prefixlen": 48, "ipv6-host": "fec1::2", "ipv6-dns": "fec1::3", "tftp-server-name": "server"}
    if "asan" in server.FERRY:
        del options["tftp-server-name"]  # libslirp keeps it
    assert client.ask("netdev_add", type="user", id="n0", **options) == {}
    (told,) = client.ask("query-netdev")
    assert {key: told["info"][key] for key in options} == options, told
    for key, value, say in (("ipv6-prefixlen", 127, "netdev_add.ipv6-prefixlen: 127 (accepted: 1 to 126)"),
                            ("ipv6-host", "fec2::2", "n1: ipv6-host: fec2::2 does not begin with fec0::/64")):
        assert refused(client, "netdev_add", type="user", id="n1", **{key: value}) == ("GenericError", say)


@case("a card's link is cut and mended, by the card's name or the network's; its filter is told")
@with_machine(options=CARD)
def _(machine):
    client = machine.client()
    for name in ("net0", "n0"):
        for up in (False, True):
            assert client.ask("set_link", name=name, up=up) == {}
    assert refused(client, "set_link", name="eth0", up=True) == (
        "DeviceNotFound", "there is no network card 'eth0', and no network with one")
    (found,) = client.ask("query-rx-filter")
    assert found == {
        "name": "net0", "promiscuous": True, "multicast": "normal", "unicast": "normal", "vlan": "all",
        "broadcast-allowed": True, "multicast-overflow": False, "unicast-overflow": False,
        "main-mac": "52:54:00:11:22:33", "vlan-table": found["vlan-table"], "unicast-table": [],
        "multicast-table": []}, found
    assert client.ask("query-rx-filter", name="net0") == [found]
    assert refused(client, "query-rx-filter", name="n0") == ("GenericError", "there is no network card 'n0'")


if __name__ == "__main__":
    sys.exit(server.main())
