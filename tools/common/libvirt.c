/*
 * libvirt.c: the header of a libvirt save file ("virsh save", "virsh managedsave").
 *
 * Source: files written by libvirt 9.0. 92 octets in the byte order of the host that wrote them: 16 octets of magic,
 * version, length of the domain's XML, was the domain running, how the stream is packed, offset of a cookie in the XML,
 * 14 unused words. The XML follows, then the stream.
 */
#include <string.h>

#include "tools/common/input.h"

static const char *const packed_names[] = {"raw", "gzip", "bzip2", "xz", "lzop", "zstd"};

static uint32_t word(const uint8_t *p, bool swapped)
{
    uint32_t x = load_be32(p);

    return swapped ? x : GUINT32_SWAP_LE_BE(x);
}

LibvirtSave *libvirt_save_parse(const uint8_t *data, size_t len, uint64_t *size, GError **error)
{
    bool save = len >= 16 && memcmp(data, "LibvirtQemudSave", 16) == 0;
    bool part = len >= 16 && memcmp(data, "LibvirtQemudPart", 16) == 0;

    if (!save && !part)
        return NULL;
    if (len < LIBVIRT_SAVE_HEADER) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_CUT,
                    "libvirt header @0x0: the input ends at 0x%zx, the header takes %d octets", len,
                    LIBVIRT_SAVE_HEADER);
        return NULL;
    }
    bool big_endian = load_be32(data + 16) < 0x10000;
    uint32_t version = word(data + 16, big_endian), packed = word(data + 28, big_endian);
    if (version < 1 || version > 2) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "libvirt header @0x10: version %u, this program reads 1 and 2", version);
        return NULL;
    }
    if (packed >= G_N_ELEMENTS(packed_names)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "libvirt header @0x1c: the stream is packed in way %u, which is not known", packed);
        return NULL;
    }
    LibvirtSave *s = g_new0(LibvirtSave, 1);
    s->version = version;
    s->xml_len = word(data + 20, big_endian);
    s->was_running = word(data + 24, big_endian);
    s->packed = packed_names[packed];
    s->partial = part;
    *size = (uint64_t)LIBVIRT_SAVE_HEADER + s->xml_len;
    return s;
}
