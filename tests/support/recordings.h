/*
 * recordings.h: the recorded streams in traces/, and conversions between formats in memory.
 */
#ifndef TESTS_SUPPORT_RECORDINGS_H
#define TESTS_SUPPORT_RECORDINGS_H

#include "visitors/bytes.h"
#include "vmstate/stream.h"

/* A recording, unpacked: "a-kvm-min.mig", "g05-multifd-none.chan1". Fails the test if it cannot be read. */
void recording_read(const char *name, ByteOut *out);

/* The names of all recordings, NULL at the end; freed by g_strfreev. */
char **recording_names(void);

/* What it is: by its name. */
StreamKind recording_kind(const char *name);

/* QEMUFile (or another channel's octets) to BER, and BER to what it was. */
bool convert_to_ber(const ByteOut *in, StreamKind kind, bool zstd, ByteOut *out, GError **error);
bool convert_to_qemufile(const ByteOut *in, ByteOut *out, GError **error);

/* Reads a stream of that kind in either format and tells a sink. */
bool load_stream(const ByteOut *in, StreamKind kind, StreamSink *sink, GError **error);

bool same_octets(const ByteOut *a, const ByteOut *b);

#endif
