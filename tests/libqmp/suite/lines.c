/* lines.c: lines of characters, networks, virtio devices. */
#include "tests/libqmp/suite/suite.h"

static void add(Suite *s, const char *id, const char *text)
{
    g_autoptr(QmpChardevBackend) backend = suite_value(s, &qmp_type_ChardevBackend, text);

    GET(ChardevReturn, chardev_add, id, backend);
}

static void change(Suite *s, const char *id, const char *text)
{
    g_autoptr(QmpChardevBackend) backend = suite_value(s, &qmp_type_ChardevBackend, text);

    GET(ChardevReturn, chardev_change, id, backend);
}

static void ring(Suite *s)
{
    TRY(ringbuf_write, "ring", "hello", NULL);
    TRY(ringbuf_write, "ring",
        "aGVsbG8=", LIBQMP_RINGBUF_WRITE_OPTIONS(.has_format = true, .format = QMP_DATA_FORMAT_BASE64));
    TRY(ringbuf_write, "ring", "!", LIBQMP_RINGBUF_WRITE_OPTIONS(.has_format = true, .format = QMP_DATA_FORMAT_BASE64));
    TRY(ringbuf_write, "none", "hello", NULL);
    TRY(ringbuf_write, "plain", "hello", NULL);
    TEXT(ringbuf_read, "ring", 5, NULL);
    TEXT(ringbuf_read, "ring", 5, LIBQMP_RINGBUF_READ_OPTIONS(.has_format = true, .format = QMP_DATA_FORMAT_BASE64));
    TEXT(ringbuf_read, "ring", 0, NULL);
    TEXT(ringbuf_read, "none", 5, NULL);
}

static void cut(Suite *s, QmpYankInstance *one)
{
    QmpYankInstanceList list = {.count = one ? 1 : 0, .items = &one};

    TRY(yank, &list);
}

/* Sockets that come along. */
static void sockets(Suite *s)
{
    static const char by_name[] = "type=socket,data.server=off,data.addr.type=fd,data.addr.data.str=line";

    add(s, "d0", by_name);
    suite_send_socket(s);
    TRY(getfd, "line");
    add(s, "d0", by_name);
    suite_send_socket(s);
    TRY(getfd, "line");
    change(s, "d0", by_name);
    TRY(chardev_remove, "d0");
}

static void yanks(Suite *s)
{
    QmpYankInstance line = {.type = QMP_YANK_INSTANCE_TYPE_CHARDEV,
                            .u.chardev = &(QmpYankInstanceChardev){.id = (char *)"s0"}};
    QmpYankInstance none = {.type = QMP_YANK_INSTANCE_TYPE_CHARDEV,
                            .u.chardev = &(QmpYankInstanceChardev){.id = (char *)"x"}};
    QmpYankInstance node = {.type = QMP_YANK_INSTANCE_TYPE_BLOCK_NODE,
                            .u.block_node = &(QmpYankInstanceBlockNode){.node_name = (char *)"x"}};
    QmpYankInstance migration = {.type = QMP_YANK_INSTANCE_TYPE_MIGRATION};

    LIST(YankInstance, query_yank);
    cut(s, &line);
    cut(s, &none);
    cut(s, &node);
    cut(s, &migration);
    cut(s, NULL);
}

void suite_terminal(Suite *s)
{
    add(s, "t0", "type=stdio,data.signal=off");
    TRY(chardev_remove, "t0");
}

void suite_lines(Suite *s)
{
    LIST(ChardevInfo, query_chardev);
    LIST(ChardevBackendInfo, query_chardev_backends);
    add(s, "plain", "{'type': 'null', 'data': {}}");
    add(s, "plain", "{'type': 'null', 'data': {}}");
    add(s, "0", "{'type': 'null', 'data': {}}");
    add(s, "r0", "type=ringbuf,data.size=4096");
    add(s, "r1", "type=ringbuf,data.size=1000");
    add(s, "f0", "type=file,data.out=@out,data.append=on");
    add(s, "f1", "type=file,data.out=@out,data.in=@data");
    add(s, "f2", "type=file,data.out=/none/out");
    add(s, "p0", "{'type': 'pty', 'data': {}}");
    add(s, "s0", "type=socket,data.addr.type=unix,data.addr.data.path=@line,data.server=on,data.wait=off");
    add(s, "s1",
        "type=socket,data.addr.type=inet,data.addr.data.host=127.0.0.1,data.addr.data.port=0,data.server=on,"
        "data.wait=off,data.nodelay=on");
    add(s, "s2", "type=socket,data.addr.type=unix,data.addr.data.path=@none,data.server=off,data.reconnect=1");
    add(s, "s3", "type=socket,data.addr.type=unix,data.addr.data.path=@none,data.server=off");
    add(s, "s4", "type=socket,data.addr.type=fd,data.addr.data.str=none");
    LIST(ChardevInfo, query_chardev);
    yanks(s);
    sockets(s);
    ring(s);
    change(s, "ring", "type=ringbuf,data.size=65536");
    change(s, "ring", "{'type': 'null', 'data': {}}");
    change(s, "ring", "{'type': 'ringbuf', 'data': {}}");
    change(s, "none", "{'type': 'null', 'data': {}}");
    change(s, "r0", "{'type': 'null', 'data': {}}");
    TRY(chardev_send_break, "ring");
    TRY(chardev_send_break, "plain");
    TRY(chardev_send_break, "none");
    static const char *const ids[] = {"plain", "r0", "r1", "f0", "f1", "f2",   "p0",
                                      "s0",    "s1", "s2", "s3", "s4", "ring", "none"};
    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
        TRY(chardev_remove, ids[i]);
    LIST(ChardevInfo, query_chardev);
}

/* --- networks ----------------------------------------------------------------------------------------------------- */

static void virtio(Suite *s)
{
    const char *path = "/machine/peripheral/card/virtio-backend";

    LIST(VirtioInfo, x_query_virtio);
    GET(VirtioStatus, x_query_virtio_status, path);
    GET(VirtioStatus, x_query_virtio_status, "/machine/peripheral/disk/virtio-backend");
    GET(VirtioStatus, x_query_virtio_status, "/machine/peripheral/noise/virtio-backend");
    GET(VirtioStatus, x_query_virtio_status, "/machine/peripheral/card");
    GET(VirtioStatus, x_query_virtio_status, "/none");
    GET(VirtQueueStatus, x_query_virtio_queue_status, path, 0);
    GET(VirtQueueStatus, x_query_virtio_queue_status, path, 9);
    GET(VirtQueueStatus, x_query_virtio_queue_status, "/none", 0);
    GET(VirtioQueueElement, x_query_virtio_queue_element, path, 0, NULL);
    GET(VirtioQueueElement, x_query_virtio_queue_element, path, 9, NULL);
    GET(VirtioQueueElement, x_query_virtio_queue_element, path, 0,
        LIBQMP_X_QUERY_VIRTIO_QUEUE_ELEMENT_OPTIONS(.has_index = true, .index = 3));
    GET(VirtioQueueElement, x_query_virtio_queue_element, "/none", 0, NULL);
}

void suite_networks(Suite *s)
{
    BOXED(Netdev, netdev_add,
          "type=user,id=u0,hostname=h,restrict=on,ipv4=on,ipv6=on,net=10.0.3.0/24,host=10.0.3.2,tftp=@,bootfile=b,"
          "dhcpstart=10.0.3.16,dns=10.0.3.3,dnssearch.0.str=a.example,dnssearch.1.str=b.example,domainname=example,"
          "ipv6-prefix=fec0::,ipv6-prefixlen=64,ipv6-host=fec0::2,ipv6-dns=fec0::3,tftp-server-name=t");
    BOXED(Netdev, netdev_add,
          "type=user,id=u1,hostfwd.0.str=tcp:127.0.0.1:0-:22,guestfwd.0.str=tcp:10.0.2.100:80-cmd:/bin/cat");
    BOXED(Netdev, netdev_add, "type=user,id=u2,net=nonsense");
    BOXED(Netdev, netdev_add, "type=user,id=u3,hostfwd.0.str=nonsense");
    BOXED(Netdev, netdev_add, "type=user,id=u0");
    BOXED(Netdev, netdev_add, "type=tap,id=t0,ifname=none0,script=/none,downscript=no,vnet_hdr=on,vhost=off");
    BOXED(Netdev, netdev_add, "type=tap,id=t1,fd=none");
    BOXED(Netdev, netdev_add, "type=socket,id=s0,listen=127.0.0.1:0");
    BOXED(Netdev, netdev_add, "type=socket,id=s1,connect=127.0.0.1:1");
    BOXED(Netdev, netdev_add, "type=socket,id=s2,mcast=230.0.0.1:41234,localaddr=127.0.0.1");
    BOXED(Netdev, netdev_add, "type=socket,id=s3,udp=127.0.0.1:1,localaddr=127.0.0.1:0");
    BOXED(Netdev, netdev_add, "type=socket,id=s4,fd=none");
    suite_send_socket(s);
    TRY(getfd, "net");
    BOXED(Netdev, netdev_add, "type=socket,id=s6,fd=net");
    TRY(netdev_del, "s6");
    BOXED(Netdev, netdev_add, "type=socket,id=s5");
    BOXED(Netdev, netdev_add, "type=vde,id=v0,sock=@none,port=1,group=root,mode=448");
    LIST(RxFilterInfo, query_rx_filter, NULL);
    LIST(RxFilterInfo, query_rx_filter, LIBQMP_QUERY_RX_FILTER_OPTIONS(.name = "card"));
    LIST(RxFilterInfo, query_rx_filter, LIBQMP_QUERY_RX_FILTER_OPTIONS(.name = "none"));
    LIST(RxFilterInfo, query_rx_filter, LIBQMP_QUERY_RX_FILTER_OPTIONS(.name = "net"));
    TRY(set_link, "card", false);
    TRY(set_link, "card", true);
    TRY(set_link, "net", false);
    TRY(set_link, "net", true);
    TRY(set_link, "none", true);
    static const char *const ids[] = {"u0", "u1", "u2", "t0", "s0", "s1", "s2", "s3", "s4", "v0", "net", "none"};
    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
        TRY(netdev_del, ids[i]);
    virtio(s);
}
