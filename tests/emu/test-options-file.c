/* test-options-file.c: options from a file (-readconfig). */
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <string.h>

#include "emu/machine/options.h"
#include "emu/machine/vm.h"

/* Reads a file that has this text; the error's message without the path is left in *wrong. */
static Options *read_text(const char *text, char **wrong)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("options-XXXXXX", &path, &error);

    cr_assert(fd >= 0 && g_file_set_contents(path, text, -1, NULL));
    close(fd);
    const char *const words[] = {"-nodefaults", "-readconfig", path, NULL};
    Options *o = options_parse(words, vm_device_types(), &error);
    g_unlink(path);
    cr_assert_eq(o == NULL, error != NULL);
    if (error) {
        cr_assert(g_str_has_prefix(error->message, path), "%s", error->message);
        *wrong = g_strdup(error->message + strlen(path));
    }
    return o;
}

static void expect_wrong(const char *text, const char *message)
{
    g_autofree char *wrong = NULL;

    cr_assert_null(read_text(text, &wrong), "%s", text);
    cr_assert_str_eq(wrong, message);
}

Test(options_file, groups_are_options_and_their_heads_have_the_id)
{
    g_autofree char *wrong = NULL;
    g_autoptr(Options) o = read_text("# a PC\n"
                                     "[machine]\n"
                                     "  type = \"pc\"\n"
                                     "  usb = \"off\"\n"
                                     "\n"
                                     "[memory]\n"
                                     "  size = \"256M\"\n"
                                     "[smp-opts]\n"
                                     "  cpus = \"4\"\n"
                                     "  cores = \"2\"\n"
                                     "[drive \"d0\"]\n"
                                     "  file = \"a,b.img\"\n"
                                     "  if = \"none\"\n"
                                     "  format=\"raw\"\n"
                                     "[device \"card\"]\n"
                                     "  driver = \"virtio-blk-pci\"\n"
                                     "  drive = \"d0\"\n"
                                     "[name]\n"
                                     "  guest = \"has = and # in it\"\n",
                                     &wrong);

    cr_assert(o, "%s", wrong);
    cr_assert_eq(o->memory.size, 256 << 20);
    cr_assert(o->smp.cpus == 4 && o->smp.cores == 2);
    const QmpDriveOptions *d = o->drives->pdata[0];
    cr_assert_str_eq(options_drive_file(d), "a,b.img");
    cr_assert_str_eq(d->id, "d0");
    const OptionsDevice *card = o->devices->pdata[0];
    cr_assert_str_eq(card->common.id, "card");
    cr_assert_str_eq(o->name.guest, "has = and # in it");
}

Test(options_file, what_is_wrong_is_told_with_its_line)
{
    expect_wrong("file = \"x\"\n", ":1: a key stands before the first group ([drive], say)");
    expect_wrong("\n[drive\n", ":2: a group's head ends with ']'");
    expect_wrong("[drive d0]\n", ":1: the name in a group's head is in double quotes: [drive \"d0\"]");
    expect_wrong(
        "[drvie]\n",
        ":1: unknown group 'drvie'; did you mean 'drive'? (accepted: machine, accel, smp, memory, boot, "
        "rtc, drive, blockdev, device, object, netdev, nic, add-fd, chardev, mon, name, display, overcommit, audiodev, "
        "msg)");
    expect_wrong("[drive]\nfile x\n", ":2: this is no group, no key = \"value\" and no comment");
    expect_wrong("[drive]\n\nfile = x\n", ":3: a value is in double quotes");
    expect_wrong("[drive]\nfi le = \"x\"\n", ":2: a key is made of letters, digits, '-', '_' and '.'");
}

Test(options_file, what_an_option_refuses_is_told_with_the_line_of_its_group)
{
    g_autofree char *wrong = NULL;

    cr_assert_null(read_text("# nothing\n[drive]\n  fiel = \"x\"\n", &wrong));
    cr_assert(g_str_has_prefix(wrong, ":2: -drive: unknown key 'fiel'; did you mean 'file'?"), "%s", wrong);
}

Test(options_file, a_file_that_is_not_there_or_no_text_is_refused)
{
    const char *const words[] = {"-readconfig", "/nowhere/options", NULL};
    g_autoptr(GError) error = NULL;

    cr_assert_null(options_parse(words, vm_device_types(), &error));
    cr_assert(strstr(error->message, "/nowhere/options"));
    expect_wrong("[drive]\n\xff\n", ": this is no file of options (text of at most 1 MiB)");
}
