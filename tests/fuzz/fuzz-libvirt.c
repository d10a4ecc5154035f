/* fuzz-libvirt.c: the header of a libvirt save file. */
#include "tests/fuzz/support/fuzz.h"
#include "tools/common/input.h"

/* A tool is no library to link with. */
#include "tools/common/libvirt.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    GError *error = NULL;
    uint64_t size = 0;
    LibvirtSave *save = libvirt_save_parse(data, len, &size, &error);

    fuzz_check(!save || !error, "a header, and an error: %s", fuzz_message(error));
    if (save) {
        fuzz_check(len >= LIBVIRT_SAVE_HEADER && size == (uint64_t)LIBVIRT_SAVE_HEADER + save->xml_len,
                   "the stream is said to start at %" G_GUINT64_FORMAT, size);
        fuzz_check(save->version >= 1 && save->version <= 2, "version %u", save->version);
        fuzz_touch(save->packed, strlen(save->packed));
    }
    g_clear_error(&error);
    g_free(save);
    return 0;
}
