/*
 * test-options.c: command lines that are right.
 *
 * What QEMU makes of -smp and -m was asked of QEMU 7.2.22 (pc-i440fx-7.2): qom-get /machine smp,
 * query-memory-size-summary.
 */
#include "tests/emu/support/options-rig.h"

static void *item(const GPtrArray *array, guint n)
{
    cr_assert_lt(n, array->len);
    return g_ptr_array_index(array, n);
}

/* --- defaults --------------------------------------------------------------------------------------------------- */

Test(options, an_empty_line_is_qemus_pc)
{
    g_autoptr(Options) o = options_rig_parse((const char *const[]){NULL});

    cr_assert_null(o->help);
    cr_assert_null(o->machine.type);
    cr_assert(o->machine.hpet && o->machine.i8042 && o->machine.graphics && o->machine.mem_merge);
    cr_assert(o->machine.dump_guest_core && !o->machine.usb);
    cr_assert_eq(o->machine.acpi, QMP_ON_OFF_AUTO_AUTO);
    cr_assert_eq(o->machine.smm, QMP_ON_OFF_AUTO_AUTO);
    cr_assert_eq(o->machine.vmport, QMP_ON_OFF_AUTO_AUTO);
    cr_assert_eq(o->machine.irqchip, QMP_ON_OFF_SPLIT_ON);
    cr_assert_eq(o->accel, OPTIONS_ACCEL_KVM);
    cr_assert_null(o->cpu.model);
    cr_assert_eq(o->cpu.features->len, 0);
    cr_assert_eq(o->smp.cpus, 1);
    cr_assert_eq(o->memory.size, UINT64_C(128) << 20);
    cr_assert_eq(o->memory.maxmem, UINT64_C(128) << 20);
    cr_assert(!o->has_uuid && !o->stopped && !o->no_defaults && !o->daemonize && !o->no_reboot && !o->no_shutdown);
    cr_assert_eq(o->rtc.base, OPTIONS_RTC_UTC);
}

Test(options, a_pc_has_a_serial_port_unless_it_is_said_otherwise)
{
    g_autoptr(Options) o = options_rig_parse((const char *const[]){NULL});
    g_autoptr(Options) bare = PARSE("-nodefaults");
    g_autoptr(Options) none = PARSE("-serial", "none");

    cr_assert_eq(o->serials->len, 1);
    cr_assert_eq(((OptionsChar *)item(o->serials, 0))->type, OPTIONS_CHAR_NULL);
    cr_assert_eq(bare->serials->len, 0);
    cr_assert_eq(((OptionsChar *)item(none->serials, 0))->type, OPTIONS_CHAR_NONE);
    cr_assert_eq(o->monitors->len, 0);
}

/* --- the machine ------------------------------------------------------------------------------------------------ */

Test(options, the_machine_has_keys_and_later_ones_add)
{
    g_autoptr(Options) o = PARSE("-M", "pc,usb=on,hpet=off,smm=off", "-machine",
                                 "type=pc-i440fx-7.2,vmport=on,kernel-irqchip=split,max-ram-below-4g=2G,acpi=off");

    cr_assert_str_eq(o->machine.type, "pc-i440fx-7.2");
    cr_assert(o->machine.usb && !o->machine.hpet);
    cr_assert_eq(o->machine.smm, QMP_ON_OFF_AUTO_OFF);
    cr_assert_eq(o->machine.vmport, QMP_ON_OFF_AUTO_ON);
    cr_assert_eq(o->machine.acpi, QMP_ON_OFF_AUTO_OFF);
    cr_assert_eq(o->machine.irqchip, QMP_ON_OFF_SPLIT_SPLIT);
    cr_assert_eq(o->machine.max_ram_below_4g, UINT64_C(2) << 30);
}

Test(options, truth_values_have_many_forms)
{
    static const char *const on[] = {"on", "yes", "true", "y"}, *const off[] = {"off", "no", "false", "n"};

    for (size_t i = 0; i < G_N_ELEMENTS(on); i++) {
        g_autofree char *text = g_strdup_printf("pc,usb=%s,hpet=%s", on[i], off[i]);
        g_autoptr(Options) o = PARSE("-machine", text);
        cr_assert(o->machine.usb && !o->machine.hpet, "%s", text);
    }
    g_autoptr(Options) bare = PARSE("-machine", "pc,usb,nohpet");
    cr_assert(bare->machine.usb && !bare->machine.hpet);
}

Test(options, accelerators_are_tried_in_turn)
{
    g_autoptr(Options) kvm = PARSE("-accel", "kvm,kernel-irqchip=off");
    g_autoptr(Options) both = PARSE("-machine", "pc,accel=tcg:kvm");
    g_autoptr(Options) none = PARSE("-accel", "none");
    g_autoptr(Options) short_form = PARSE("-enable-kvm");
    g_autoptr(Options) same = PARSE("-machine", "accel=none", "-machine", "usb=on");

    cr_assert_eq(kvm->accel, OPTIONS_ACCEL_KVM);
    cr_assert_eq(kvm->machine.irqchip, QMP_ON_OFF_SPLIT_OFF);
    cr_assert_eq(both->accel, OPTIONS_ACCEL_KVM);
    cr_assert_str_eq(both->machine.accel, "tcg:kvm");
    cr_assert_eq(none->accel, OPTIONS_ACCEL_NONE);
    cr_assert_eq(short_form->accel, OPTIONS_ACCEL_KVM);
    cr_assert_eq(same->accel, OPTIONS_ACCEL_NONE);
}

Test(options, a_processor_is_a_model_and_what_it_has_more_and_less)
{
    static const char *const expected[][2] = {
        {"x2apic", "on"}, {"sse4.1", "off"}, {"vmx", "off"}, {"enforce", "on"}, {"model-id", "A b=c"}};
    g_autoptr(Options) o = PARSE("-cpu", "host,+a", "-cpu", "qemu64,+x2apic,-sse4.1,vmx=off,enforce,,model-id=A b=c");

    cr_assert_str_eq(o->cpu.model, "qemu64");
    cr_assert_eq(o->cpu.features->len, G_N_ELEMENTS(expected));
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        const OptionsFeature *f = item(o->cpu.features, i);
        cr_assert_str_eq(f->name, expected[i][0]);
        cr_assert_str_eq(f->value, expected[i][1]);
    }
}

/* --- processors and memory -------------------------------------------------------------------------------------- */

Test(options, processors_are_counted_as_qemu_counts_them)
{
    static const struct {
        const char *text;
        OptionsSmp smp; /* cpus, maxcpus, sockets, dies, cores, threads */
    } cases[] = {
        {"1", {1, 1, 1, 1, 1, 1}},
        {"2", {2, 2, 1, 1, 2, 1}},
        {"7", {7, 7, 1, 1, 7, 1}},
        {"cpus=4", {4, 4, 1, 1, 4, 1}},
        {"maxcpus=4", {4, 4, 1, 1, 4, 1}},
        {"2,maxcpus=4", {2, 4, 1, 1, 4, 1}},
        {"4,sockets=2", {4, 4, 2, 1, 2, 1}},
        {"4,cores=2", {4, 4, 2, 1, 2, 1}},
        {"4,threads=2", {4, 4, 1, 1, 2, 2}},
        {"8,sockets=2,threads=2", {8, 8, 2, 1, 2, 2}},
        {"8,sockets=2,cores=2", {8, 8, 2, 1, 2, 2}},
        {"8,cores=2,threads=2", {8, 8, 2, 1, 2, 2}},
        {"8,dies=2", {8, 8, 1, 2, 4, 1}},
        {"8,dies=2,sockets=2", {8, 8, 2, 2, 2, 1}},
        {"sockets=2", {2, 2, 2, 1, 1, 1}},
        {"cores=4", {4, 4, 1, 1, 4, 1}},
        {"threads=2", {2, 2, 1, 1, 1, 2}},
        {"sockets=2,cores=2,threads=2", {8, 8, 2, 1, 2, 2}},
        {"sockets=2,maxcpus=8", {8, 8, 2, 1, 4, 1}},
        {"1,maxcpus=255", {1, 255, 1, 1, 255, 1}},
        {"4,clusters=1", {4, 4, 1, 1, 4, 1}},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Options) o = PARSE("-smp", cases[i].text);
        cr_assert_eq(memcmp(&o->smp, &cases[i].smp, sizeof o->smp), 0, "-smp %s: %u %u %u %u %u %u", cases[i].text,
                     o->smp.cpus, o->smp.maxcpus, o->smp.sockets, o->smp.dies, o->smp.cores, o->smp.threads);
    }
}

Test(options, processors_said_twice_add_up)
{
    g_autoptr(Options) a = PARSE("-smp", "2", "-smp", "maxcpus=4");
    g_autoptr(Options) b = PARSE("-smp", "2,sockets=2", "-smp", "4");

    cr_assert_eq(memcmp(&a->smp, &(OptionsSmp){2, 4, 1, 1, 4, 1}, sizeof a->smp), 0);
    cr_assert_eq(memcmp(&b->smp, &(OptionsSmp){4, 4, 2, 1, 2, 1}, sizeof b->smp), 0);
}

Test(options, memory_is_in_mebibytes_or_has_a_unit)
{
    static const struct {
        const char *text;
        uint64_t octets;
    } cases[] = {
        {"0", UINT64_C(128) << 20},
        {"1M", 1 << 20},
        {"100K", 106496},
        {"0.5G", 1 << 29},
        {"size=64", 64 << 20},
        {"2g", UINT64_C(2) << 30},
        {"1.5G", UINT64_C(3) << 29},
        {"512,slots=0", 512 << 20},
        {"size=16384B", 16384},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Options) o = PARSE("-m", cases[i].text);
        cr_assert_eq(o->memory.size, cases[i].octets, "-m %s: %" G_GUINT64_FORMAT, cases[i].text, o->memory.size);
        cr_assert_eq(o->memory.maxmem, o->memory.size);
    }
    g_autoptr(Options) more = PARSE("-m", "64,slots=2", "-m", "maxmem=1G");
    cr_assert_eq(more->memory.size, 64 << 20);
    cr_assert_eq(more->memory.maxmem, 1 << 30);
    cr_assert_eq(more->memory.slots, 2);
}

/* --- what is started -------------------------------------------------------------------------------------------- */

Test(options, files_are_taken_as_they_are)
{
    g_autoptr(Options) o = PARSE("-kernel", "a,b=c", "-initrd", "d", "-append", "root=/dev/vda,ro quiet", "--bios",
                                 "x.bin", "-loadvm", "t");

    cr_assert_str_eq(o->kernel, "a,b=c");
    cr_assert_str_eq(o->initrd, "d");
    cr_assert_str_eq(o->append, "root=/dev/vda,ro quiet");
    cr_assert_str_eq(o->bios, "x.bin");
    cr_assert_str_eq(o->loadvm, "t");
}

Test(options, what_is_said_of_starting_adds_up)
{
    g_autoptr(Options) o = PARSE("-boot", "cd,menu=on,splash-time=3000", "-boot", "once=d,strict=on", "-boot",
                                 "reboot-timeout=-1,splash=a.jpg");

    cr_assert_str_eq(o->boot.order, "cd");
    cr_assert_str_eq(o->boot.once, "d");
    cr_assert_str_eq(o->boot.splash, "a.jpg");
    cr_assert(o->boot.menu && o->boot.strict && o->boot.has_splash_time && o->boot.has_reboot_timeout);
    cr_assert_eq(o->boot.splash_time, 3000);
    cr_assert_eq(o->boot.reboot_timeout, -1);
}

Test(options, the_clock_has_a_time_to_begin_with)
{
    g_autoptr(Options) local = PARSE("-rtc", "base=localtime,driftfix=slew,clock=vm");
    g_autoptr(Options) day = PARSE("-rtc", "2006-06-17");
    g_autoptr(Options) time = PARSE("-rtc", "base=2006-06-17T16:01:21");
    g_autoptr(Options) utc = PARSE("-rtc", "base=2006-06-17", "-rtc", "base=utc");

    cr_assert_eq(local->rtc.base, OPTIONS_RTC_LOCALTIME);
    cr_assert_eq(local->rtc.clock, QMP_RTC_CLOCK_VM);
    cr_assert_eq(local->rtc.driftfix, QMP_RTC_DRIFTFIX_SLEW);
    cr_assert_eq(day->rtc.base, OPTIONS_RTC_DATE);
    cr_assert_eq(day->rtc.start_s, 1150502400); /* date -u -d 2006-06-17 +%s */
    cr_assert_eq(time->rtc.start_s, 1150502400 + 16 * 3600 + 60 + 21);
    cr_assert_eq(utc->rtc.base, OPTIONS_RTC_UTC);
}

/* --- names and behaviour ---------------------------------------------------------------------------------------- */

Test(options, a_guest_may_be_called_anything)
{
    g_autoptr(Options) o = PARSE("-name", "a,,b,process=p,debug-threads=on");
    g_autoptr(Options) braces = PARSE("-name", "{x}");

    cr_assert_str_eq(o->name.guest, "a,b");
    cr_assert_str_eq(o->name.process, "p");
    cr_assert(o->name.debug_threads);
    cr_assert_str_eq(braces->name.guest, "{x}");
}

Test(options, a_uuid_has_its_highest_octet_first)
{
    static const uint8_t expected[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                         0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10};
    g_autoptr(Options) o = PARSE("-uuid", "01234567-89ab-cdef-FEDC-ba9876543210");

    cr_assert(o->has_uuid);
    cr_assert_arr_eq(o->uuid, expected, sizeof expected);
}

Test(options, flags_are_set)
{
    g_autoptr(Options) o =
        PARSE("-S", "-nodefaults", "-no-user-config", "-no-reboot", "-no-shutdown", "-daemonize", "-pidfile", "p",
              "-display", "none", "-vga", "none", "-parallel", "none", "-no-hpet", "-no-acpi", "-usb");

    cr_assert(o->stopped && o->no_defaults && o->no_reboot && o->no_shutdown && o->daemonize);
    cr_assert_str_eq(o->pidfile, "p");
    cr_assert(!o->machine.hpet && o->machine.usb);
    cr_assert_eq(o->machine.acpi, QMP_ON_OFF_AUTO_OFF);
}

Test(options, a_state_comes_from_somewhere)
{
    static const char *const texts[] = {"defer", "tcp:0:4444",  "tcp:[::1]:4444", "unix:/a:b",
                                        "fd:7",  "exec:cat <a", "file:x"};

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(Options) o = PARSE("-incoming", texts[i]);
        cr_assert_str_eq(o->incoming, texts[i]);
    }
}
