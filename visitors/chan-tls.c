/* chan-tls.c: TLS by GnuTLS. Source: GnuTLS's manual, RFC 8446; QEMU 7.2's names of files. */
#include "visitors/chan-tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

struct TlsCreds {
    TlsOptions options;
    char *priority;
    gnutls_certificate_credentials_t x509;
    gnutls_psk_server_credentials_t psk_server;
    gnutls_psk_client_credentials_t psk_client;
};

static bool fail(GError **error, const char *what, int code)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "TLS: %s: %s", what, gnutls_strerror(code));
    return false;
}

/* --- credentials ------------------------------------------------------------------------------------------------ */

/* New; NULL with an error if it is not there and has to be. *missing, if it may be. */
static char *find(const TlsCreds *c, const char *name, bool *missing, GError **error)
{
    char *path = g_build_filename(c->options.folder, name, NULL);
    bool there = g_file_test(path, G_FILE_TEST_EXISTS);

    if (missing)
        *missing = !there;
    if (there || missing)
        return path;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "TLS: %s is not there", path);
    g_free(path);
    return NULL;
}

static bool load_authority(TlsCreds *c, GError **error)
{
    bool missing;
    g_autofree char *authority = find(c, "ca-cert.pem", NULL, error), *revoked = find(c, "ca-crl.pem", &missing, error);

    if (!authority)
        return false;
    int code = gnutls_certificate_set_x509_trust_file(c->x509, authority, GNUTLS_X509_FMT_PEM);
    if (code < 0)
        return fail(error, authority, code);
    code = missing ? 0 : gnutls_certificate_set_x509_crl_file(c->x509, revoked, GNUTLS_X509_FMT_PEM);
    return code >= 0 || fail(error, revoked, code);
}

static bool load_x509(TlsCreds *c, GError **error)
{
    bool server = c->options.server, no_cert = false, no_key = false;

    gnutls_certificate_allocate_credentials(&c->x509);
    if (!load_authority(c, error))
        return false;
    g_autofree char *cert = find(c, server ? "server-cert.pem" : "client-cert.pem", server ? NULL : &no_cert, error);
    g_autofree char *key =
        cert ? find(c, server ? "server-key.pem" : "client-key.pem", server || !no_cert ? NULL : &no_key, error) : NULL;
    if (!cert || !key)
        return false;
    if (no_cert)
        return true;
    int code = gnutls_certificate_set_x509_key_file(c->x509, cert, key, GNUTLS_X509_FMT_PEM);
    return code >= 0 || fail(error, cert, code);
}

/* The key of that name, as it stands in the file. New. */
static char *find_key(const char *path, const char *name, GError **error)
{
    g_autofree char *text = NULL, *start = g_strconcat(name, ":", NULL);

    if (!g_file_get_contents(path, &text, NULL, error))
        return NULL;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (size_t i = 0; lines[i]; i++)
        if (g_str_has_prefix(lines[i], start))
            return g_strdup(g_strstrip(lines[i] + strlen(start)));
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "TLS: %s has no key of '%s'", path, name);
    return NULL;
}

static bool load_psk(TlsCreds *c, GError **error)
{
    const char *name = c->options.username ? c->options.username : "qemu";
    g_autofree char *path = find(c, "keys.psk", NULL, error);
    int code;

    if (!path)
        return false;
    if (c->options.server) {
        gnutls_psk_allocate_server_credentials(&c->psk_server);
        code = gnutls_psk_set_server_credentials_file(c->psk_server, path);
        return code >= 0 || fail(error, path, code);
    }
    g_autofree char *key = find_key(path, name, error);
    if (!key)
        return false;
    const gnutls_datum_t datum = {.data = (unsigned char *)key, .size = (unsigned)strlen(key)};
    gnutls_psk_allocate_client_credentials(&c->psk_client);
    code = gnutls_psk_set_client_credentials(c->psk_client, name, &datum, GNUTLS_PSK_KEY_HEX);
    return code >= 0 || fail(error, path, code);
}

TlsCreds *tls_creds_new(const TlsOptions *options, GError **error)
{
    g_autoptr(TlsCreds) c = g_new0(TlsCreds, 1);

    c->options = *options;
    c->priority = g_strconcat(options->priority ? options->priority : "NORMAL",
                              options->kind == TLS_PSK ? ":+ECDHE-PSK:+DHE-PSK:+PSK" : "", NULL);
    if (!(options->kind == TLS_PSK ? load_psk(c, error) : load_x509(c, error)))
        return NULL;
    c->options.folder = c->options.username = c->options.priority = NULL; /* the caller's */
    return g_steal_pointer(&c);
}

void tls_creds_free(TlsCreds *c)
{
    if (!c)
        return;
    if (c->x509)
        gnutls_certificate_free_credentials(c->x509);
    if (c->psk_server)
        gnutls_psk_free_server_credentials(c->psk_server);
    if (c->psk_client)
        gnutls_psk_free_client_credentials(c->psk_client);
    g_free(c->priority);
    g_free(c);
}

/* --- octets ----------------------------------------------------------------------------------------------------- */

typedef struct ChanTls {
    Chan chan;
    Chan *inner;
    const TlsCreds *creds;
    char *hostname;
    gnutls_session_t session;
    bool shaken;
    GError *in_error, *out_error; /* what the inner channel has said, of reads and of writes */
} ChanTls;

static ssize_t pull(gnutls_transport_ptr_t opaque, void *data, size_t len)
{
    ChanTls *c = opaque;
    gssize n = c->inner->ops->read(c->inner, data, len, c->in_error ? NULL : &c->in_error);

    if (n < 0)
        gnutls_transport_set_errno(c->session, EIO);
    return n;
}

static ssize_t push(gnutls_transport_ptr_t opaque, const void *data, size_t len)
{
    ChanTls *c = opaque;

    if (chan_write(c->inner, data, len, c->out_error ? NULL : &c->out_error))
        return (ssize_t)len;
    gnutls_transport_set_errno(c->session, EIO);
    return -1;
}

/* What the inner channel says tells more than that pulling or pushing has failed. */
static bool fail_session(ChanTls *c, GError **error, GError **inner, const char *what, int code)
{
    if (!*inner)
        return fail(error, what, code);
    g_propagate_prefixed_error(error, g_steal_pointer(inner), "TLS: %s: ", what);
    (void)c;
    return false;
}

static bool check_peer(ChanTls *c, GError **error)
{
    unsigned status = 0;
    gnutls_datum_t text;

    if (c->creds->options.kind == TLS_PSK || !c->creds->options.verify_peer)
        return true;
    int code = gnutls_certificate_verify_peers3(c->session, c->hostname, &status);
    if (code < 0)
        return fail(error, "the peer has no certificate", code);
    if (status == 0)
        return true;
    gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "TLS: the peer's certificate%s%s%s: %s",
                c->hostname ? " ('" : "", c->hostname ? c->hostname : "", c->hostname ? "')" : "",
                g_strchomp((char *)text.data));
    gnutls_free(text.data);
    return false;
}

bool chan_tls_shake_hands(Chan *chan, GError **error)
{
    ChanTls *c = (ChanTls *)chan;
    int code;

    if (c->shaken)
        return true;
    do {
        code = gnutls_handshake(c->session);
    } while (code < 0 && !gnutls_error_is_fatal(code));
    if (code < 0)
        return fail_session(c, error, c->in_error ? &c->in_error : &c->out_error, "handshake", code);
    if (!check_peer(c, error)) {
        gnutls_alert_send(c->session, GNUTLS_AL_FATAL, GNUTLS_A_ACCESS_DENIED);
        return false;
    }
    c->shaken = true;
    return true;
}

static gssize tls_read(Chan *chan, void *data, size_t len, GError **error)
{
    ChanTls *c = (ChanTls *)chan;
    ssize_t n;

    if (!chan_tls_shake_hands(chan, error))
        return -1;
    do {
        n = gnutls_record_recv(c->session, data, len);
    } while (n < 0 && !gnutls_error_is_fatal((int)n));
    if (n == GNUTLS_E_PREMATURE_TERMINATION)
        return 0; /* whether that was the end, what is read tells itself */
    if (n < 0)
        fail_session(c, error, &c->in_error, "reading", (int)n);
    return n < 0 ? -1 : n;
}

static bool write_all(ChanTls *c, const uint8_t *data, size_t len, GError **error)
{
    while (len) {
        ssize_t n = gnutls_record_send(c->session, data, len);
        if (n < 0 && !gnutls_error_is_fatal((int)n))
            continue;
        if (n < 0)
            return fail_session(c, error, &c->out_error, "writing", (int)n);
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool tls_write(Chan *chan, struct iovec *iov, int count, GError **error)
{
    bool ok = chan_tls_shake_hands(chan, error);

    for (int i = 0; i < count && ok; i++)
        ok = write_all((ChanTls *)chan, iov[i].iov_base, iov[i].iov_len, error);
    return ok;
}

static bool tls_finish(Chan *chan, GError **error)
{
    ChanTls *c = (ChanTls *)chan;
    int code;

    do {
        code = gnutls_bye(c->session, GNUTLS_SHUT_WR);
    } while (code < 0 && !gnutls_error_is_fatal(code));
    if (code < 0)
        return fail_session(c, error, &c->out_error, "ending", code);
    return !c->inner->ops->finish || c->inner->ops->finish(c->inner, error);
}

static void tls_shutdown(Chan *chan)
{
    chan_shutdown(((ChanTls *)chan)->inner);
}

static void tls_set_patience(Chan *chan, int ms)
{
    chan_set_patience(((ChanTls *)chan)->inner, ms);
}

static void tls_free(Chan *chan)
{
    ChanTls *c = (ChanTls *)chan;

    gnutls_deinit(c->session);
    chan_free(c->inner);
    g_clear_error(&c->in_error);
    g_clear_error(&c->out_error);
    g_free(c->hostname);
    g_free(c);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static int begin_session(ChanTls *c, const char **what)
{
    const TlsCreds *creds = c->creds;
    bool server = creds->options.server;
    int code = gnutls_init(&c->session, server ? GNUTLS_SERVER : GNUTLS_CLIENT);

    *what = "a session";
    if (code < 0)
        return code;
    *what = creds->priority;
    code = gnutls_priority_set_direct(c->session, creds->priority, NULL);
    if (code < 0)
        return code;
    *what = "credentials";
    if (creds->options.kind == TLS_PSK)
        return gnutls_credentials_set(c->session, GNUTLS_CRD_PSK,
                                      server ? (void *)creds->psk_server : (void *)creds->psk_client);
    code = gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, creds->x509);
    if (code >= 0 && server)
        gnutls_certificate_server_set_request(c->session,
                                              creds->options.verify_peer ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
    return code;
}

Chan *chan_tls_new(Chan *inner, const TlsCreds *creds, const char *hostname, GError **error)
{
    static const ChanOps ops = {.read = tls_read,
                                .write = tls_write,
                                .finish = tls_finish,
                                .shutdown = tls_shutdown,
                                .set_patience = tls_set_patience,
                                .free = tls_free};
    ChanTls *c = g_new0(ChanTls, 1);
    const char *what;

    *c = (ChanTls){.chan.ops = &ops, .inner = inner, .creds = creds, .hostname = g_strdup(hostname)};
    int code = begin_session(c, &what);
    if (code < 0) {
        fail(error, what, code);
        tls_free(&c->chan);
        return NULL;
    }
    if (hostname && creds->options.kind == TLS_X509 && !creds->options.server)
        gnutls_server_name_set(c->session, GNUTLS_NAME_DNS, hostname, strlen(hostname));
    gnutls_transport_set_ptr(c->session, c);
    gnutls_transport_set_pull_function(c->session, pull);
    gnutls_transport_set_push_function(c->session, push);
    return &c->chan;
}

char *chan_tls_peer(const Chan *chan)
{
    const ChanTls *c = (const ChanTls *)chan;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t name = {NULL, 0};
    unsigned count;

    if (c->creds->options.kind == TLS_PSK)
        return c->creds->options.server ? g_strdup(gnutls_psk_server_get_username(c->session)) : NULL;
    const gnutls_datum_t *list = gnutls_certificate_get_peers(c->session, &count);
    if (!list || gnutls_x509_crt_init(&certificate) < 0)
        return NULL;
    if (gnutls_x509_crt_import(certificate, list, GNUTLS_X509_FMT_DER) >= 0)
        gnutls_x509_crt_get_dn2(certificate, &name);
    char *told = name.data ? g_strndup((const char *)name.data, name.size) : NULL;
    gnutls_free(name.data);
    gnutls_x509_crt_deinit(certificate);
    return told;
}
