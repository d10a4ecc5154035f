/* test-chan-tls.c: who may talk to whom inside TLS, with keys that certtool makes. */
#include "visitors/chan-tls.h"

#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OCTETS = 3 << 20 };

/* Of all cases: made by the first. */
static char *folder_of(const char *name)
{
    return g_build_filename("build", "tls-test", name, NULL);
}

static const char making[] =
    "set -e\n"
    "rm -rf build/tls-test.$$ && mkdir -p build/tls-test.$$ && cd build/tls-test.$$\n"
    "key() { certtool --generate-privkey --key-type=ed25519 --outfile $1 2>/dev/null; }\n"
    "authority() {\n"
    "    mkdir -p $1; key $1/ca-key.pem; printf 'cn = authority %s\\nca\\ncert_signing_key\\n' $1 >$1/ca.cfg\n"
    "    certtool --generate-self-signed --load-privkey $1/ca-key.pem --template $1/ca.cfg --outfile $1/ca-cert.pem 2>/dev/null\n"
    "}\n"
    "sign() {\n" /* authority, file, kind, name */
    "    key $1/$2-key.pem\n"
    "    printf 'organization = Ferry\\ncn = %s\\ndns_name = %s\\n%s\\nsigning_key\\n' $4 $4 $3 >$1/$2.cfg\n"
    "    certtool --generate-certificate --load-ca-certificate $1/ca-cert.pem --load-ca-privkey $1/ca-key.pem \\\n"
    "        --load-privkey $1/$2-key.pem --template $1/$2.cfg --outfile $1/$2-cert.pem 2>/dev/null\n"
    "}\n"
    "authority good; sign good server tls_www_server there.example; sign good client tls_www_client here.example\n"
    "authority other; sign other server tls_www_server there.example; sign other client tls_www_client here.example\n"
    "mkdir anonymous; cp good/ca-cert.pem anonymous/\n"
    "mkdir psk psk-other\n"
    "echo qemu:00112233445566778899aabbccddeeff >psk/keys.psk; echo ann:ffeeddccbbaa99887766554433221100 >>psk/keys.psk\n"
    "echo qemu:ff112233445566778899aabbccddeeff >psk-other/keys.psk\n"
    "cd ../..; [ -d build/tls-test ] || mv -T build/tls-test.$$ build/tls-test 2>/dev/null || true; rm -rf build/tls-test.$$\n";

static bool has_keys(void)
{
    g_autofree char *tool = g_find_program_in_path("certtool"), *last = folder_of("psk-other/keys.psk");
    const char *argv[] = {"sh", "-c", making, NULL};
    int status = -1;

    signal(SIGPIPE, SIG_IGN);
    if (!tool)
        return false;
    if (!g_file_test(last, G_FILE_TEST_EXISTS))
        g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, NULL);
    cr_assert(g_file_test(last, G_FILE_TEST_EXISTS), "certtool made no keys");
    return true;
}

typedef struct Side {
    TlsOptions options;
    const char *hostname;
    Chan *inner, *chan;
    TlsCreds *creds;
    char *wrong, *peer; /* what it found wrong; who the other one is */
    uint8_t *octets;
} Side;

/* A server shows what it gets, and a client compares. */
static bool talk(Side *s, GError **error)
{
    gssize got;

    if (!chan_tls_shake_hands(s->chan, error))
        return false;
    s->peer = chan_tls_peer(s->chan);
    if (s->options.server) {
        got = chan_read_full(s->chan, s->octets, OCTETS, error);
        return got == OCTETS && chan_write(s->chan, s->octets, OCTETS, error) && s->chan->ops->finish(s->chan, error);
    }
    g_autofree uint8_t *back = g_malloc(OCTETS + 1);
    if (!chan_write(s->chan, s->octets, OCTETS, error))
        return false;
    got = chan_read_full(s->chan, back, OCTETS + 1, error);
    cr_assert(got <= 0 || (got == OCTETS && memcmp(back, s->octets, OCTETS) == 0));
    return got == OCTETS;
}

static gpointer run_side(gpointer data)
{
    g_autoptr(GError) error = NULL;
    Side *s = data;
    g_autofree char *folder = folder_of(s->options.folder);

    s->options.folder = folder;
    s->creds = tls_creds_new(&s->options, &error);
    if (s->creds)
        s->chan = chan_tls_new(s->inner, s->creds, s->hostname, &error);
    if (!s->chan || !talk(s, &error))
        s->wrong = g_strdup(error ? error->message : "it was cut");
    if (s->chan)
        chan_shutdown(s->chan); /* nobody is to wait for who has given up */
    else
        chan_shutdown(s->inner);
    return NULL;
}

static void free_side(Side *s)
{
    chan_free(s->chan ? s->chan : s->inner);
    tls_creds_free(s->creds);
    g_free(s->octets);
    g_free(s->wrong);
    g_free(s->peer);
}

/* What each must find wrong, in part; NULL: nothing. "": something. */
static void meet(Side *client, Side *server, const char *client_says, const char *server_says)
{
    const char *expected[] = {client_says, server_says};
    Side *sides[] = {client, server};
    GThread *threads[2];
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    server->options.server = true;
    for (int i = 0; i < 2; i++) {
        sides[i]->inner = chan_fd_new(fds[i]);
        sides[i]->octets = g_malloc0(OCTETS);
        for (size_t k = 0; k < OCTETS && i == 0; k++)
            sides[i]->octets[k] = (uint8_t)(k * 7 + k / 251);
        threads[i] = g_thread_new("side", run_side, sides[i]);
    }
    for (int i = 0; i < 2; i++)
        g_thread_join(threads[i]);
    for (int i = 0; i < 2; i++) {
        const char *found = sides[i]->wrong;
        cr_assert((found == NULL) == (expected[i] == NULL), "%s finds: %s", i ? "the server" : "the client", found);
        cr_assert(!found || strstr(found, expected[i]), "%s finds: %s", i ? "the server" : "the client", found);
    }
}

#define KEYS_OR_SKIP()                                                                                                 \
    do {                                                                                                               \
        if (!has_keys())                                                                                               \
            cr_skip_test("there is no certtool (package gnutls-bin)");                                                 \
    } while (0)

Test(chan_tls, both_ends_know_each_other_by_their_certificates, .timeout = 60)
{
    Side client = {.options = {.folder = "good", .verify_peer = true}, .hostname = "there.example"};
    Side server = {.options = {.folder = "good", .verify_peer = true}};

    KEYS_OR_SKIP();
    meet(&client, &server, NULL, NULL);
    cr_assert_str_eq(server.peer, "O=Ferry,CN=here.example");
    cr_assert_str_eq(client.peer, "O=Ferry,CN=there.example");
    free_side(&client);
    free_side(&server);
}

Test(chan_tls, a_server_of_another_name_is_refused, .timeout = 60)
{
    Side client = {.options = {.folder = "good", .verify_peer = true}, .hostname = "elsewhere.example"};
    Side server = {.options = {.folder = "good", .verify_peer = true}};

    KEYS_OR_SKIP();
    meet(&client, &server, "the peer's certificate ('elsewhere.example'): ", "");
    cr_assert(strstr(client.wrong, "name"), "%s", client.wrong);
    free_side(&client);
    free_side(&server);
}

Test(chan_tls, a_client_without_a_certificate_is_refused, .timeout = 60)
{
    Side client = {.options = {.folder = "anonymous", .verify_peer = true}, .hostname = "there.example"};
    Side server = {.options = {.folder = "good", .verify_peer = true}};

    KEYS_OR_SKIP();
    meet(&client, &server, "", "the peer has no certificate");
    free_side(&client);
    free_side(&server);
}

Test(chan_tls, without_verification_no_certificate_is_wanted, .timeout = 60)
{
    Side client = {.options = {.folder = "anonymous", .verify_peer = true}, .hostname = "there.example"};
    Side server = {.options = {.folder = "good"}};

    KEYS_OR_SKIP();
    meet(&client, &server, NULL, NULL);
    cr_assert_null(server.peer);
    free_side(&client);
    free_side(&server);
}

Test(chan_tls, certificates_of_another_authority_are_refused, .timeout = 60)
{
    Side client = {.options = {.folder = "other", .verify_peer = true}, .hostname = "there.example"};
    Side server = {.options = {.folder = "good", .verify_peer = true}};
    Side careless = {.options = {.folder = "other"}}, strict = {.options = {.folder = "good", .verify_peer = true}};

    KEYS_OR_SKIP();
    meet(&client, &server, "is NOT trusted", "");
    meet(&careless, &strict, "", "the peer has no certificate"); /* it has none that could please */
    free_side(&client);
    free_side(&server);
    free_side(&careless);
    free_side(&strict);
}

Test(chan_tls, both_ends_know_each_other_by_a_key, .timeout = 60)
{
    Side client = {.options = {.kind = TLS_PSK, .folder = "psk", .username = "ann"}};
    Side server = {.options = {.kind = TLS_PSK, .folder = "psk"}};

    KEYS_OR_SKIP();
    meet(&client, &server, NULL, NULL);
    cr_assert_str_eq(server.peer, "ann");
    free_side(&client);
    free_side(&server);
}

Test(chan_tls, another_key_is_refused, .timeout = 60)
{
    Side client = {.options = {.kind = TLS_PSK, .folder = "psk-other"}};
    Side server = {.options = {.kind = TLS_PSK, .folder = "psk"}};

    KEYS_OR_SKIP();
    meet(&client, &server, "TLS: handshake: ", "TLS: handshake: ");
    free_side(&client);
    free_side(&server);
}

static void check_creds(const TlsOptions *options, const char *said)
{
    g_autofree char *folder = folder_of(options->folder);
    g_autoptr(GError) error = NULL;
    TlsOptions o = *options;

    o.folder = folder;
    cr_assert_null(tls_creds_new(&o, &error));
    cr_assert(strstr(error->message, said), "%s", error->message);
}

Test(chan_tls, what_is_missing_is_named, .timeout = 60)
{
    KEYS_OR_SKIP();
    check_creds(&(TlsOptions){.folder = "nowhere"}, "nowhere/ca-cert.pem is not there");
    check_creds(&(TlsOptions){.folder = "anonymous", .server = true}, "anonymous/server-cert.pem is not there");
    check_creds(&(TlsOptions){.folder = "good", .kind = TLS_PSK}, "good/keys.psk is not there");
    check_creds(&(TlsOptions){.folder = "psk", .kind = TLS_PSK, .username = "bob"}, "has no key of 'bob'");
}

Test(chan_tls, what_is_no_TLS_is_refused, .timeout = 60)
{
    g_autofree char *folder = folder_of("good");
    const TlsOptions options = {.folder = folder, .server = true};
    g_autoptr(GError) error = NULL;
    uint8_t octet;

    KEYS_OR_SKIP();
    g_autoptr(TlsCreds) creds = tls_creds_new(&options, NULL);
    g_autoptr(Chan) chan = chan_tls_new(chan_mem_new("QEVM\0\0\0\3\7\0\0\0", 12), creds, NULL, NULL);
    cr_assert_lt(chan->ops->read(chan, &octet, 1, &error), 0);
    cr_assert(g_str_has_prefix(error->message, "TLS: handshake: "), "%s", error->message);
}
