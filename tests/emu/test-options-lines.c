/* test-options-lines.c: lines of characters and networks. */
#include "tests/emu/support/options-rig.h"

static const OptionsChar *chardev(const GPtrArray *array, guint n)
{
    cr_assert_lt(n, array->len);
    return g_ptr_array_index(array, n);
}

static const OptionsMonitor *monitor(const Options *o, guint n)
{
    cr_assert_lt(n, o->monitors->len);
    return g_ptr_array_index(o->monitors, n);
}

static const QmpNetdev *net(const Options *o, size_t n)
{
    cr_assert_lt(n, o->said->netdev.count);
    return o->said->netdev.items[n];
}

/* --- -chardev --------------------------------------------------------------------------------------------------- */

Test(options, a_line_is_one_of_several_kinds)
{
    g_autoptr(Options) o =
        PARSE("-chardev", "null,id=n", "-chardev", "stdio,id=s,signal=off,mux=on", "-chardev", "pty,id=p", "-chardev",
              "file,id=f,path=/o,input-path=/i,append=on", "-chardev", "ringbuf,id=r,size=4K");

    cr_assert_eq(chardev(o->chardevs, 0)->type, OPTIONS_CHAR_NULL);
    cr_assert_str_eq(chardev(o->chardevs, 0)->id, "n");
    cr_assert_eq(chardev(o->chardevs, 1)->type, OPTIONS_CHAR_STDIO);
    cr_assert(!chardev(o->chardevs, 1)->signal && chardev(o->chardevs, 1)->mux);
    cr_assert_eq(chardev(o->chardevs, 2)->type, OPTIONS_CHAR_PTY);
    cr_assert_eq(chardev(o->chardevs, 3)->type, OPTIONS_CHAR_FILE);
    cr_assert_str_eq(chardev(o->chardevs, 3)->path, "/o");
    cr_assert_str_eq(chardev(o->chardevs, 3)->input, "/i");
    cr_assert(chardev(o->chardevs, 3)->append);
    cr_assert_eq(chardev(o->chardevs, 4)->type, OPTIONS_CHAR_RINGBUF);
    cr_assert_eq(chardev(o->chardevs, 4)->size, 4096);
}

Test(options, a_socket_waits_and_gathers_unless_it_is_told_not_to)
{
    g_autoptr(Options) o =
        PARSE("-chardev", "socket,id=a,path=/a,,b,server=on", "-chardev", "socket,id=b,host=::1,port=4,server,nowait",
              "-chardev", "socket,id=c,host=h,port=ssh,reconnect=5,nodelay", "-chardev",
              "socket,id=d,host=h,port=1,nodelay=on", "-chardev", "socket,id=e,host=h,port=1,delay=off", "-chardev",
              "socket,id=f,host=h,port=1,nodelay=off");

    cr_assert_str_eq(chardev(o->chardevs, 0)->path, "/a,b");
    cr_assert(chardev(o->chardevs, 0)->server && chardev(o->chardevs, 0)->wait && chardev(o->chardevs, 0)->delay);
    cr_assert(chardev(o->chardevs, 1)->server && !chardev(o->chardevs, 1)->wait);
    cr_assert_str_eq(chardev(o->chardevs, 1)->host, "::1");
    cr_assert_eq(chardev(o->chardevs, 2)->reconnect, 5);
    cr_assert(!chardev(o->chardevs, 2)->delay && !chardev(o->chardevs, 3)->delay && !chardev(o->chardevs, 4)->delay);
    cr_assert(chardev(o->chardevs, 5)->delay);
}

Test(options, what_is_wrong_with_a_line_is_said)
{
    REFUSE("-chardev: the key 'backend' is missing (accepted: file, socket, pty, null, stdio, ringbuf)", "-chardev",
           "id=x");
    REFUSE("-chardev.backend: unknown value 'sokcet'; did you mean 'socket'? (accepted: file, socket, pty, null, "
           "stdio, ringbuf)",
           "-chardev", "sokcet,id=a");
    REFUSE("-chardev: the key 'id' is missing", "-chardev", "null");
    REFUSE("-chardev.id: '1x' is no identifier: a letter, then letters, digits, '-', '.' and '_'", "-chardev",
           "null,id=1x");
    REFUSE("-chardev.id: 'a' is there twice", "-chardev", "null,id=a", "-chardev", "pty,id=a");
    REFUSE("-chardev.path: a socket needs a path, or a port", "-chardev", "socket,id=a");
    REFUSE("-chardev.fd: a socket that is open already has no path, host, port or reconnect", "-chardev",
           "socket,id=a,fd=3,path=x");
    REFUSE("-chardev.fd: -1 is no descriptor", "-chardev", "socket,id=a,fd=-1");
    REFUSE("-chardev.path: a socket has a path, or a host and a port, not both", "-chardev",
           "socket,id=a,path=/x,port=1");
    REFUSE("-chardev.host: a client needs to know to which host it connects", "-chardev", "socket,id=a,port=1");
    REFUSE("-chardev.reconnect: only a client connects again, and this is a server", "-chardev",
           "socket,id=a,port=1,server=on,reconnect=1");
    REFUSE("-chardev.size: 3 is not a power of 2 up to 1G", "-chardev", "ringbuf,id=a,size=3");
    REFUSE("-chardev.size: 0 is not a power of 2 up to 1G", "-chardev", "ringbuf,id=a,size=0");
    REFUSE("-chardev: unknown key 'paht'; did you mean 'path'? (accepted: append, backend, id, input-path, mux, path)",
           "-chardev", "file,id=a,paht=x");
    REFUSE("-chardev: stdio is in use already", "-chardev", "stdio,id=a", "-chardev", "stdio,id=b");
}

/* --- short forms ------------------------------------------------------------------------------------------------ */

Test(options, a_serial_port_has_short_forms)
{
    g_autoptr(Options) o = PARSE("-serial", "file:/o", "-serial", "tcp:[::1]:44,server=on,wait=off", "-serial",
                                 "unix:/s,server,nowait", "-serial", "mon:stdio");
    g_autoptr(Options) more = PARSE("-serial", "tcp::5,server", "-serial", "pty", "-serial", "chardev:c", "-serial",
                                    "mon:unix:/x", "-chardev", "null,id=c");

    cr_assert_eq(chardev(o->serials, 0)->type, OPTIONS_CHAR_FILE);
    cr_assert_str_eq(chardev(o->serials, 0)->path, "/o");
    cr_assert_eq(chardev(o->serials, 1)->type, OPTIONS_CHAR_SOCKET);
    cr_assert_str_eq(chardev(o->serials, 1)->host, "::1");
    cr_assert_str_eq(chardev(o->serials, 1)->port, "44");
    cr_assert(chardev(o->serials, 1)->server && !chardev(o->serials, 1)->wait);
    cr_assert_str_eq(chardev(o->serials, 2)->path, "/s");
    cr_assert(chardev(o->serials, 2)->server && !chardev(o->serials, 2)->wait);
    cr_assert_eq(chardev(o->serials, 3)->type, OPTIONS_CHAR_STDIO);
    cr_assert(chardev(o->serials, 3)->mux && chardev(o->serials, 3)->signal);
    cr_assert_null(chardev(more->serials, 0)->host);
    cr_assert(chardev(more->serials, 0)->wait);
    cr_assert_eq(chardev(more->serials, 2)->type, OPTIONS_CHAR_REFERENCE);
    cr_assert_str_eq(chardev(more->serials, 2)->id, "c");
    cr_assert(chardev(more->serials, 3)->mux);
    cr_assert_str_eq(chardev(more->serials, 3)->path, "/x");
}

Test(options, a_socket_may_be_open_already)
{
    g_autoptr(Options) o = PARSE("-chardev", "socket,id=c,fd=0,server=on,wait=off", "-chardev", "socket,id=d,path=x");

    cr_assert(chardev(o->chardevs, 0)->has_fd && chardev(o->chardevs, 0)->fd == 0);
    cr_assert(!chardev(o->chardevs, 1)->has_fd);
}

Test(options, monitors_are_for_people_or_for_programs)
{
    g_autoptr(Options) o =
        PARSE("-monitor", "unix:/m,server=on", "-qmp", "unix:/q,server=on,wait=off", "-qmp-pretty", "pty", "-chardev",
              "null,id=c", "-mon", "c,id=m,mode=control,pretty=on", "-mon", "chardev=c", "-monitor", "none");

    cr_assert_eq(monitor(o, 0)->mode, 0);
    cr_assert_str_eq(monitor(o, 0)->line.path, "/m");
    cr_assert_eq(monitor(o, 1)->mode, 1);
    cr_assert(!monitor(o, 1)->pretty && !monitor(o, 1)->line.wait);
    cr_assert(monitor(o, 2)->mode == 1 && monitor(o, 2)->pretty);
    cr_assert_eq(monitor(o, 3)->line.type, OPTIONS_CHAR_REFERENCE);
    cr_assert_str_eq(monitor(o, 3)->line.id, "c");
    cr_assert_str_eq(monitor(o, 3)->id, "m");
    cr_assert(monitor(o, 3)->mode == 1 && monitor(o, 3)->pretty);
    cr_assert_eq(monitor(o, 4)->mode, 0);
    cr_assert_eq(monitor(o, 5)->line.type, OPTIONS_CHAR_NONE);
}

Test(options, without_graphics_the_terminal_is_the_serial_port_and_the_monitor)
{
    g_autoptr(Options) o = PARSE("-nographic");
    g_autoptr(Options) with_monitor = PARSE("-nographic", "-monitor", "none");
    g_autoptr(Options) with_serial = PARSE("-nographic", "-serial", "null");
    g_autoptr(Options) bare = PARSE("-nographic", "-nodefaults");

    cr_assert(o->no_graphic);
    cr_assert_eq(chardev(o->serials, 0)->type, OPTIONS_CHAR_STDIO);
    cr_assert(chardev(o->serials, 0)->mux);
    cr_assert_eq(o->monitors->len, 0);
    cr_assert_eq(chardev(with_monitor->serials, 0)->type, OPTIONS_CHAR_STDIO);
    cr_assert(!chardev(with_monitor->serials, 0)->mux);
    cr_assert_eq(chardev(with_serial->serials, 0)->type, OPTIONS_CHAR_NULL);
    cr_assert_eq(monitor(with_serial, 0)->line.type, OPTIONS_CHAR_STDIO);
    cr_assert(bare->serials->len == 0 && bare->monitors->len == 0);
}

Test(options, what_is_wrong_with_a_short_form_is_said)
{
    REFUSE("-serial: unknown line 'stdoi'; did you mean 'stdio'? (accepted: none, null, stdio, mon:stdio, pty, file:, "
           "unix:, tcp:, chardev:)",
           "-serial", "stdoi");
    REFUSE("-serial: 'localhost' is not HOST:PORT", "-serial", "tcp:localhost");
    REFUSE("-monitor: unix: is followed by a path", "-monitor", "unix:");
    REFUSE("-serial.host: a client needs to know to which host it connects", "-serial", "tcp::1");
    REFUSE("-serial: unknown key 'sever'; did you mean 'server'? (accepted: backend, delay, fd, host, id, "
           "mux, nodelay, path, port, reconnect, server, wait)",
           "-serial", "unix:/x,sever=on");
    REFUSE("-qmp: unknown chardev 'x' (there is no -chardev)", "-qmp", "chardev:x");
    REFUSE("-serial: unknown chardev 'cc' (accepted: c)", "-serial", "chardev:cc", "-chardev", "null,id=c");
    REFUSE("-mon.chardev: the key is missing", "-mon", "mode=control");
    REFUSE("-serial: stdio is in use already", "-serial", "stdio", "-monitor", "stdio");
    REFUSE("-daemonize: it does not go with a line to stdio, which it closes", "-daemonize", "-monitor", "stdio");
    REFUSE("-nographic: it does not go with -daemonize, which has no terminal", "-daemonize", "-nographic");
    REFUSE("-serial: it is given 5 times, a PC has 4 ports", "-serial", "null", "-serial", "null", "-serial", "null",
           "-serial", "null", "-serial", "null");
}

/* --- networks --------------------------------------------------------------------------------------------------- */

static void assert_user(const QmpNetdev *n)
{
    cr_assert_eq(n->type, QMP_NET_CLIENT_DRIVER_USER);
    cr_assert_eq(n->u.user->hostfwd.count, 2);
    cr_assert_str_eq(n->u.user->hostfwd.items[0]->str, "tcp::1-:2");
    cr_assert_str_eq(n->u.user->hostfwd.items[1]->str, "udp::3-:4");
}

Test(options, a_network_is_one_of_several_kinds)
{
    g_autoptr(Options) o = PARSE("-netdev", "user,id=u,restrict=on,hostfwd=tcp::1-:2,hostfwd=udp::3-:4,net=10.0.0.0/8",
                                 "-netdev", "tap,id=t,ifname=tap0,script=no,downscript=no,vhost=off", "-netdev",
                                 "socket,id=s,connect=127.0.0.1:5", "-netdev", "vde,id=v,sock=/v,port=7,mode=0700");

    assert_user(net(o, 0));
    cr_assert(net(o, 0)->u.user->q_restrict && !net(o, 0)->u.user->has_ipv4);
    cr_assert_eq(net(o, 1)->type, QMP_NET_CLIENT_DRIVER_TAP);
    cr_assert_str_eq(net(o, 1)->u.tap->ifname, "tap0");
    cr_assert_str_eq(net(o, 1)->u.tap->script, "no");
    cr_assert_eq(net(o, 2)->type, QMP_NET_CLIENT_DRIVER_SOCKET);
    cr_assert_str_eq(net(o, 2)->u.socket->connect, "127.0.0.1:5");
    cr_assert_eq(net(o, 3)->type, QMP_NET_CLIENT_DRIVER_VDE);
    cr_assert(net(o, 3)->u.vde->port == 7 && net(o, 3)->u.vde->mode == 0700);
}

Test(options, a_network_is_the_same_as_json)
{
    g_autoptr(Options) o = PARSE("-netdev",
                                 "{\"type\":\"user\",\"id\":\"u\",\"ipv6\":false,"
                                 "\"hostfwd\":[{\"str\":\"tcp::1-:2\"},{\"str\":\"udp::3-:4\"}]}",
                                 "-netdev", "{\"id\":\"s\",\"type\":\"socket\",\"listen\":\":5\"}");

    assert_user(net(o, 0));
    cr_assert(net(o, 0)->u.user->has_ipv6 && !net(o, 0)->u.user->ipv6);
    cr_assert_str_eq(net(o, 1)->u.socket->listen, ":5");
}

Test(options, a_card_comes_with_its_network)
{
    g_autoptr(Options) o = PARSE("-nic", "user,model=virtio-net-pci,mac=52:54:00:12:34:56,hostfwd=tcp::1-:2", "-nic",
                                 "none", "-net", "none", "-nic", "vde,id=v,port=3");
    const OptionsNic *first = o->nics->pdata[0], *none = o->nics->pdata[1], *last = o->nics->pdata[2];

    cr_assert_eq(o->nics->len, 3);
    cr_assert_str_eq(first->model, "virtio-net-pci");
    cr_assert_str_eq(first->mac, "52:54:00:12:34:56");
    cr_assert_eq(first->net->type, QMP_NET_CLIENT_DRIVER_USER);
    cr_assert_str_eq(first->net->id, "nic0");
    cr_assert_str_eq(first->net->u.user->hostfwd.items[0]->str, "tcp::1-:2");
    cr_assert_null(none->net);
    cr_assert_str_eq(last->net->id, "v");
    cr_assert_eq(last->net->u.vde->port, 3);
}

Test(options, what_is_wrong_with_a_network_is_said)
{
    REFUSE("-netdev: the key 'id' is missing", "-netdev", "user");
    REFUSE("-netdev.type: 'none' is no network (accepted: user, tap, socket, vde)", "-netdev", "none,id=a");
    REFUSE("-netdev.type: unknown value 'usr'; did you mean 'user'? (accepted: none, user, tap, socket, vde)",
           "-netdev", "usr,id=a");
    REFUSE("-netdev.id: 'a' is there twice", "-netdev", "user,id=a", "-netdev", "user,id=a");
    REFUSE("-nic.mac: '52:54' is no address like 52:54:00:12:34:56", "-nic", "user,mac=52:54");
    REFUSE("-netdev.type: a socket needs exactly one of fd, listen, connect, mcast and udp", "-netdev", "socket,id=a");
    REFUSE("-netdev.localaddr: it goes with mcast or udp only", "-netdev", "socket,id=a,listen=:1,localaddr=x");
    REFUSE("-netdev.udp: it needs localaddr, too", "-netdev", "socket,id=a,udp=x:1");
    REFUSE("-netdev.fd: what is open already has no ifname, script or downscript", "-netdev",
           "tap,id=a,fd=3,script=no");
    REFUSE("-netdev.port: 70000 is out of range (accepted: 0 to 65535)", "-netdev", "vde,id=a,port=70000");
    REFUSE("-net: unknown value 'nic,model=e1000' (accepted: none); a card with its network is -nic", "-net",
           "nic,model=e1000");
    REFUSE("-net: unknown value 'tap' (accepted: none); a card with its network is -nic", "-net", "tap");
}
