/*
 * chan-tls.h: a channel inside TLS, over any channel that goes both ways. Files of keys and certificates have the names
 * that QEMU gives them.
 */
#ifndef VISITORS_CHAN_TLS_H
#define VISITORS_CHAN_TLS_H

#include "visitors/chan.h"

typedef enum TlsKind {
    TLS_X509, /* ca-cert.pem, ca-crl.pem (may be missing); {server,client}-cert.pem and -key.pem, a client's may be
                 missing */
    TLS_PSK,  /* keys.psk: lines of NAME:KEY in hexadecimal */
} TlsKind;

typedef struct TlsOptions {
    TlsKind kind;
    bool server;
    const char *folder;
    bool verify_peer;     /* x509: the peer needs a certificate of our authority's */
    const char *username; /* a PSK client's; NULL: "qemu" */
    const char *priority; /* GnuTLS's; NULL: its own choice */
} TlsOptions;

/* Credentials; several channels may share them. They outlive these. */
typedef struct TlsCreds TlsCreds;

TlsCreds *tls_creds_new(const TlsOptions *options, GError **error);
void tls_creds_free(TlsCreds *creds);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsCreds, tls_creds_free)

/*
 * Takes `inner`. A client's `hostname` is what the server's certificate must be for; NULL if it is not verified, or
 * there is none. Nothing happens before the first read or write, or chan_tls_shake_hands. One thread may read while
 * another one writes, once hands are shaken.
 */
Chan *chan_tls_new(Chan *inner, const TlsCreds *creds, const char *hostname, GError **error);

/* Both ends have found each other to be who they should be; or what is wrong. */
bool chan_tls_shake_hands(Chan *chan, GError **error);

/* Who the peer is: its certificate's distinguished name (RFC 4514), or a PSK client's name; NULL: it did not say. New.
 */
char *chan_tls_peer(const Chan *chan);

#endif
