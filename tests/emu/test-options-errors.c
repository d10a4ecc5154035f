/* test-options-errors.c: -device and help; and what is said of lines that are wrong. */
#include "tests/emu/support/options-rig.h"

#include <jansson.h>
#include <string.h>

static const OptionsDevice *device(const Options *o, guint n)
{
    cr_assert_lt(n, o->devices->len);
    return g_ptr_array_index(o->devices, n);
}

/* --- -device ---------------------------------------------------------------------------------------------------- */

static void assert_gadget(const Options *o)
{
    g_autoptr(GError) error = NULL;
    const OptionsDevice *d = device(o, 0);
    Gadget *g = (Gadget *)device_new(&gadget_type);

    cr_assert_eq(d->type, &gadget_type);
    cr_assert_str_eq(d->common.driver, "gadget");
    cr_assert_str_eq(d->common.id, "g0");
    cr_assert_str_eq(d->common.bus, "pci.0");
    cr_assert_str_eq(d->common.addr, "0x4.1");
    cr_assert(options_device_apply(d, &g->dev, &error), "%s", error ? error->message : "");
    cr_assert_str_eq(g->drive, "d,0");
    cr_assert_null(g->serial);
    cr_assert_eq(g->vectors, 3);
    cr_assert_eq(g->size, 1 << 20);
    cr_assert(!g->fast && g->has_index);
    cr_assert_eq(g->index, -1);
    device_free(&g->dev);
}

Test(options, a_device_is_the_same_as_keys_and_as_json)
{
    g_autoptr(Options) keys = PARSE("-device", "gadget,id=g0,bus=pci.0,addr=0x4.1,drive=d,,0,size=1M,nofast,index=-1");
    g_autoptr(Options) json =
        PARSE("-device", "{\"driver\":\"gadget\",\"id\":\"g0\",\"bus\":\"pci.0\",\"addr\":\"0x4.1\",\"drive\":\"d,0\","
                         "\"size\":1048576,\"fast\":false,\"index\":-1}");

    assert_gadget(keys);
    assert_gadget(json);
}

Test(options, a_device_without_options_has_those_that_all_have)
{
    g_autoptr(Options) o = PARSE("-device", "id=l,driver=lamp", "-device", "lamp");

    cr_assert_str_eq(device(o, 0)->common.id, "l");
    cr_assert_eq(device(o, 1)->type, &lamp_type);
    cr_assert_null(device(o, 1)->common.id);
}

Test(options, what_is_wrong_with_a_device_is_said)
{
    REFUSE("-device: unknown driver 'gagdet'; did you mean 'gadget'? (accepted: lamp, gadget)", "-device", "gagdet");
    REFUSE("-device: the key 'driver' is missing", "-device", "id=a");
    REFUSE("-device: the key 'driver' is missing", "-device", "{}");
    REFUSE(
        "-device gadget: unknown key 'vector'; did you mean 'vectors'? (accepted: addr, bus, drive, driver, fast, id, "
        "index, serial, size, vectors)",
        "-device", "gadget,vector=1");
    REFUSE("-device gadget.vectors: 65536 is out of range (accepted: 0 to 65535)", "-device", "gadget,vectors=65536");
    REFUSE("-device gadget.vectors: 2049 is above 2048", "-device", "gadget,vectors=2049");
    REFUSE("-device gadget.vectors: 'many' is no number", "-device", "{\"driver\":\"gadget\",\"vectors\":\"many\"}");
    REFUSE("-device.id: '0' is no identifier: a letter, then letters, digits, '-', '.' and '_'", "-device",
           "lamp,id=0");
    REFUSE("-device.id: 'a' is there twice", "-device", "lamp,id=a", "-device", "gadget,id=a");
    REFUSE("-device: no JSON: '}' expected near end of file at character 16", "-device", "{\"driver\":\"lamp\"");
}

Test(options, a_device_that_refuses_its_options_is_as_it_was)
{
    g_autoptr(Options) o = PARSE("-device", "gadget,drive=new,vectors=7");
    OptionsDevice wrong = *device(o, 0);
    g_autoptr(GError) error = NULL;
    Gadget *g = (Gadget *)device_new(&gadget_type);

    g->drive = g_strdup("old");
    wrong.all = json_pack("{s:s,s:s,s:i}", "driver", "gadget", "drive", "new", "vectors", 4000);
    cr_assert(!options_device_apply(&wrong, &g->dev, &error));
    json_decref(wrong.all);
    cr_assert_str_eq(error->message, "-device gadget.vectors: 4000 is above 2048");
    cr_assert_str_eq(g->drive, "old");
    cr_assert_eq(g->vectors, 3);
    cr_assert(options_device_apply(device(o, 0), &g->dev, NULL));
    cr_assert_str_eq(g->drive, "new");
    cr_assert_eq(g->vectors, 7);
    device_free(&g->dev);
}

/* --- help ------------------------------------------------------------------------------------------------------- */

Test(options, help_ends_the_reading)
{
    static const char *const asked[][2] = {
        {"-device", "help"},
        {"-device", "?"},
        {"-device", "gadget,help"},
        {"-machine", "help"},
        {"-M", "?"},
        {"-cpu", "help"},
        {"-accel", "help"},
        {"-netdev", "help"},
        {"-netdev", "user,help"},
        {"-nic", "help"},
        {"-chardev", "help"},
        {"-object", "help"},
        {"-chardev", "file,help"},
        {"-object", "rng-random,help"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(asked); i++) {
        g_autoptr(Options) o = PARSE(asked[i][0], asked[i][1], "-nonsense");
        cr_assert(o->help && *o->help, "%s %s", asked[i][0], asked[i][1]);
    }
    g_autoptr(Options) help = PARSE("--help", "-nonsense");
    g_autoptr(Options) version = PARSE("-version");
    g_autofree char *all = options_help();
    cr_assert_str_eq(help->help, all);
    cr_assert(g_str_has_prefix(version->help, "ferry "));
}

#define COMMON                                                                                                         \
    "  driver=                text; must be given\n"                                                                   \
    "                           its type\n"                                                                            \
    "  id=                    text\n"                                                                                  \
    "                           its name, which is not in use\n"                                                       \
    "  bus=                   text\n"                                                                                  \
    "                           where it is plugged in: pci.0, ide.0, ide.1 (default: where there is room)\n"          \
    "  addr=                  text\n"                                                                                  \
    "                           its place there: a slot, 0 to 1f, and with a dot a function, in hexadecimal "          \
    "(default: the first that is free)\n"

Test(options, help_on_a_device_tells_what_can_be_set_and_what_it_is)
{
    g_autofree char *gadget = options_device_help(&gadget_type), *lamp = options_device_help(&lamp_type);
    const DeviceType *const types[] = {&lamp_type, &gadget_type, NULL};
    g_autofree char *all = options_devices_help(types);

    cr_assert_str_eq(gadget, "gadget: a gadget\n"
                             "  drive=<str>\n"
                             "  serial=<str>\n"
                             "  vectors=<uint16> (default: 3)\n"
                             "  size=<size> (default: 0)\n"
                             "  fast=<on|off> (default: on)\n"
                             "  index=<int32> (default: 0)\n"
                             "What all devices have:\n" COMMON);
    cr_assert_str_eq(lamp, "lamp\nWhat all devices have:\n" COMMON);
    cr_assert_str_eq(all, "Devices (-device NAME,help says what can be set):\n"
                          "  gadget               a gadget\n"
                          "  lamp                 \n");
}

Test(options, help_names_every_option)
{
    static const char *const names[] = {
        "-machine",   "-accel",     "-cpu",     "-smp",    "-m",      "-kernel",  "-initrd",     "-append",
        "-bios",      "-boot",      "-rtc",     "-drive",  "-hda",    "-hdb",     "-cdrom",      "-blockdev",
        "-device",    "-netdev",    "-chardev", "-serial", "-nic",    "-net",     "-monitor",    "-qmp",
        "-incoming",  "-S",         "-name",    "-uuid",   "-object", "-display", "-nodefaults", "-no-user-config",
        "-nographic", "-daemonize", "-pidfile", "-loadvm", "-help",   "-version", "-no-reboot",  "-no-shutdown",
    };
    g_autofree char *help = options_help();

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *line = g_strdup_printf("\n  %s ", names[i]);
        cr_assert(strstr(help, line), "%s", names[i]);
    }
}

/* --- errors ----------------------------------------------------------------------------------------------------- */

Test(options, an_option_that_is_not_there_is_said)
{
    REFUSE("-smpp: unknown option; did you mean '-smp'? (-help lists them)", "-smpp", "2");
    REFUSE("--bois: unknown option; did you mean '-bios'? (-help lists them)", "--bois", "x");
    REFUSE("-completely-different: unknown option (-help lists them)", "-completely-different");
    REFUSE("-m: it is followed by [size=]SIZE[,KEY=VALUE...]", "-m");
    REFUSE("-kernel: it is followed by TEXT", "-S", "-kernel");
}

Test(options, what_is_wrong_with_the_machine_is_said)
{
    REFUSE("-machine.type: unknown machine 'q35' (accepted: pc, pc-i440fx-7.2, none)", "-machine", "q35");
    REFUSE("-overcommit.cpu-pm: a guest cannot have the host's processors to itself (accepted: off)", "-overcommit",
           "cpu-pm=on");
    REFUSE("-audiodev.driver: unknown value 'alsa' (accepted: none)", "-audiodev", "alsa,id=a");
    REFUSE("-object.qom-type: a secret has either data or file", "-object", "secret,id=s");
    REFUSE("-object.file: /none/key: No such file or directory", "-object", "secret,id=s,file=/none/key");
    REFUSE(
        "-machine.type: unknown machine 'pc-i440fx-7.1'; did you mean 'pc-i440fx-7.2'? (accepted: pc, pc-i440fx-7.2, none)",
        "-M", "pc-i440fx-7.1");
    REFUSE(
        "-machine: unknown key 'hept'; did you mean 'hpet'? (accepted: accel, acpi, dump-guest-core, graphics, hpet, "
        "i8042, kernel-irqchip, max-ram-below-4g, mem-merge, memory-backend, smm, type, usb, vmport)",
        "-machine", "pc,hept=on");
    REFUSE("-machine.usb: 'maybe' is neither on nor off", "-machine", "usb=maybe");
    REFUSE("-machine.smm: unknown value 'atuo'; did you mean 'auto'? (accepted: auto, on, off)", "-machine",
           "smm=atuo");
    REFUSE("-accel: tcg is not there: processors run on KVM only (accepted: kvm, none)", "-accel", "tcg");
    REFUSE("-machine.accel: unknown accelerator 'kvn'; did you mean 'kvm'? (accepted: kvm, none)", "-machine",
           "accel=kvn");
    REFUSE("-accel: -machine accel=kvm has already said which", "-machine", "accel=kvm", "-accel", "kvm");
    REFUSE("-accel: -machine accel=none has already said which", "-accel", "kvm", "-machine", "accel=none");
    REFUSE("-accel: the key 'accel' is missing", "-accel", "kernel-irqchip=on");
    REFUSE("-cpu: it starts with the name of a model", "-cpu", ",+x");
    REFUSE("-cpu: '+' is no feature (accepted: +FEATURE, -FEATURE, KEY=VALUE)", "-cpu", "qemu64,+");
    REFUSE("-cpu: '+x=on' is no feature (accepted: +FEATURE, -FEATURE, KEY=VALUE)", "-cpu", "qemu64,+x=on");
}

Test(options, what_is_wrong_with_processors_and_memory_is_said)
{
    REFUSE("-smp.cpus: 2 is above maxcpus, 1", "-smp", "2,maxcpus=1");
    REFUSE("-smp.maxcpus: 256 is out of range (accepted: 1 to 255)", "-smp", "256");
    REFUSE("-smp.cpus: 0 is out of range, at least 1 is wanted", "-smp", "0");
    REFUSE("-smp.dies: 0 is out of range, at least 1 is wanted", "-smp", "2,dies=0");
    REFUSE("-smp.clusters: a PC has no clusters, it must be 1 and not 2", "-smp", "4,clusters=2");
    REFUSE("-smp: sockets (1) * dies (1) * cores (2) * threads (1) is not maxcpus (3)", "-smp", "3,cores=2");
    REFUSE("-smp: sockets (2) * dies (1) * cores (1) * threads (1) is not maxcpus (3)", "-smp", "3,sockets=2");
    REFUSE("-smp: sockets (2) * dies (1) * cores (4) * threads (0) is not maxcpus (2)", "-smp", "2,sockets=2,cores=4");
    REFUSE("-smp: sockets (1) * dies (3) * cores (2) * threads (1) is not maxcpus (8)", "-smp", "8,dies=3");
    REFUSE("-smp: sockets (1) * dies (1) * cores (0) * threads (2) is not maxcpus (1)", "-smp", "1,threads=2");
    REFUSE("-smp: unknown key 'socket'; did you mean 'sockets'? (accepted: clusters, cores, cpus, dies, maxcpus, "
           "sockets, threads)",
           "-smp", "2,socket=2");
    REFUSE("-smp.cpus: 'x' is no number", "-smp", "x");
    REFUSE("-smp.maxcpus: 4294967295 is out of range (accepted: 1 to 255)", "-smp",
           "sockets=4294967295,dies=4294967295,cores=4294967295,threads=4294967295");
    REFUSE("-smp: sockets (4194304) * dies (2097152) * cores (0) * threads (2097152) is not maxcpus (2)", "-smp",
           "2,sockets=4194304,dies=2097152,threads=2097152"); /* 2^64, which is no 0 */
    REFUSE("-m.size: 'x' is no number (with or without one of the units K, M, G, T, P, E)", "-m", "x");
    REFUSE("-m.maxmem: 64 octets are less than size, 134217728 (maxmem has units)", "-m", "128,maxmem=64");
    REFUSE("-m.slots: they need maxmem, too", "-m", "128,slots=2");
    REFUSE("-m.size: 18446744073709551615 octets are too many", "-m", "18446744073709551615B");
}

Test(options, what_is_wrong_with_starting_is_said)
{
    REFUSE("-boot.order: 'z' is no drive (accepted: a to p)", "-boot", "cz");
    REFUSE("-boot.once: drive 'c' is given twice", "-boot", "once=cc");
    REFUSE("-boot.splash-time: 65536 is out of range (accepted: 0 to 65535)", "-boot", "splash-time=65536");
    REFUSE("-boot.reboot-timeout: -2 is out of range (accepted: -1 to 65535)", "-boot", "reboot-timeout=-2");
    REFUSE("-initrd: it goes with -kernel only", "-initrd", "x");
    REFUSE("-append: it goes with -kernel only", "-append", "x");
    REFUSE("-rtc.base: 'now' is no time (accepted: utc, localtime, 2006-06-17, 2006-06-17T16:01:21)", "-rtc",
           "base=now");
    REFUSE("-rtc.base: '2001-02-30' is no time (accepted: utc, localtime, 2006-06-17, 2006-06-17T16:01:21)", "-rtc",
           "2001-02-30");
    REFUSE("-rtc.clock: unknown value 'hots'; did you mean 'host'? (accepted: host, rt, vm)", "-rtc", "clock=hots");
    REFUSE("-loadvm: it does not go with -incoming, which brings a state, too", "-loadvm", "x", "-incoming", "defer");
    REFUSE("-incoming: unknown protocol 'udp' (accepted: defer, tcp, unix, fd, file, exec)", "-incoming", "udp:1");
    REFUSE("-incoming: tcp: is followed by HOST:PORT, not by 'x'", "-incoming", "tcp:x");
    REFUSE("-incoming: tcp: is followed by HOST:PORT, not by 'x:65536'", "-incoming", "tcp:x:65536");
    REFUSE("-incoming: unix: is followed by where it comes from", "-incoming", "unix:");
    REFUSE("-incoming: nothing follows defer, 'x' does", "-incoming", "defer:x");
    REFUSE("-uuid: '0' is not of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "-uuid", "0");
    REFUSE("-uuid: '01234567-89ab-cdef-0123-456789abcdeg' is not of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
           "-uuid", "01234567-89ab-cdef-0123-456789abcdeg");
    REFUSE("-display.type: unknown value 'gtk' (accepted: none)", "-display", "gtk");
    REFUSE("-vga: unknown value 'std' (accepted: none)", "-vga", "std");
    REFUSE("-drive.cache: unknown value 'nome'; did you mean 'none'? (accepted: writeback, none, writethrough, "
           "directsync, unsafe)",
           "-drive", "cache=nome");
    REFUSE("-drive.cache: the key is given twice", "-drive", "cache=none,cache=unsafe");
}

Test(options, help_on_processors_names_models_and_features)
{
    g_autoptr(Options) o = PARSE("-cpu", "help");

    cr_assert(strstr(o->help, "\n  qemu64   QEMU's own processor with 64 bits\n"));
    cr_assert(strstr(o->help, " sse4.2 "));
    cr_assert_null(strstr(o->help, " svm "), "what cannot be on is not told");
}
