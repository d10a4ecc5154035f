/* machine.c: the session, the machine as a whole, its objects, and what happens when it runs. */
#include "tests/libqmp/suite/suite.h"

static void descriptors(Suite *s)
{
    TRY(getfd, "none"); /* nothing comes along */
    TRY(closefd, "none");
    suite_send_file(s);
    TRY(getfd, "1none");
    suite_send_file(s);
    TRY(getfd, "one");
    TRY(closefd, "one");
    GET(AddfdInfo, add_fd, NULL);
    suite_send_file(s);
    GET(AddfdInfo, add_fd, NULL);
    suite_send_file(s);
    GET(AddfdInfo, add_fd, LIBQMP_ADD_FD_OPTIONS(.has_fdset_id = true, .fdset_id = 3, .opaque = "x"));
    suite_send_file(s);
    GET(AddfdInfo, add_fd, LIBQMP_ADD_FD_OPTIONS(.has_fdset_id = true, .fdset_id = -1));
    LIST(FdsetInfo, query_fdsets);
    TRY(remove_fd, 0, NULL);
    TRY(remove_fd, 1, NULL);
    TRY(remove_fd, 3, LIBQMP_REMOVE_FD_OPTIONS(.has_fd = true, .fd = 999));
}

void suite_control(Suite *s)
{
    QmpQMPCapability oob = QMP_QMP_CAPABILITY_OOB;
    QmpQMPCapabilityList enable = {.count = 1, .items = &oob};

    TRY(qmp_capabilities, NULL); /* it is negotiated already */
    TRY(qmp_capabilities, LIBQMP_QMP_CAPABILITIES_OPTIONS(.has_enable = true, .enable = enable));
    LIST(CommandInfo, query_commands);
    GET(VersionInfo, query_version);
    LIST(CommandLineOptionInfo, query_command_line_options, NULL);
    LIST(CommandLineOptionInfo, query_command_line_options,
         LIBQMP_QUERY_COMMAND_LINE_OPTIONS_OPTIONS(.option = "smp-opts"));
    LIST(CommandLineOptionInfo, query_command_line_options, LIBQMP_QUERY_COMMAND_LINE_OPTIONS_OPTIONS(.option = "x"));
    TEXT(human_monitor_command, "info status", NULL);
    TEXT(human_monitor_command, "info registers",
         LIBQMP_HUMAN_MONITOR_COMMAND_OPTIONS(.has_cpu_index = true, .cpu_index = 1));
    TEXT(human_monitor_command, "info registers",
         LIBQMP_HUMAN_MONITOR_COMMAND_OPTIONS(.has_cpu_index = true, .cpu_index = 77));
    TEXT(human_monitor_command, "nonsense", NULL);
    TEXT(human_monitor_command, "", NULL);
    descriptors(s);
    LIST(TPMInfo, query_tpm);
    LIST(TpmModel, query_tpm_models);
    LIST(TpmType, query_tpm_types);
}

/* --- the machine -------------------------------------------------------------------------------------------------- */

static void processors(Suite *s)
{
    QmpCpuModelInfo model = {.name = (char *)"qemu64"}, nobody = {.name = (char *)"x"};
    json_t *props = json_pack("{s:b,s:b}", "sse4.1", 1, "aes", 0), *wrong = json_pack("{s:i}", "x", 1);
    QmpCpuModelInfo with = {.name = (char *)"qemu64", .props = props},
                    without = {.name = (char *)"qemu64", .props = wrong};

    LIST(CpuInfoFast, query_cpus_fast);
    LIST(HotpluggableCPU, query_hotpluggable_cpus);
    LIST(CpuDefinitionInfo, query_cpu_definitions);
    GET(CpuModelExpansionInfo, query_cpu_model_expansion, QMP_CPU_MODEL_EXPANSION_TYPE_FULL, &model);
    GET(CpuModelExpansionInfo, query_cpu_model_expansion, QMP_CPU_MODEL_EXPANSION_TYPE_STATIC, &model);
    GET(CpuModelExpansionInfo, query_cpu_model_expansion, QMP_CPU_MODEL_EXPANSION_TYPE_STATIC, &with);
    GET(CpuModelExpansionInfo, query_cpu_model_expansion, QMP_CPU_MODEL_EXPANSION_TYPE_FULL, &without);
    GET(CpuModelExpansionInfo, query_cpu_model_expansion, QMP_CPU_MODEL_EXPANSION_TYPE_FULL, &nobody);
    json_decref(props);
    json_decref(wrong);
}

static void memory(Suite *s)
{
    GET(MemoryInfo, query_memory_size_summary);
    LIST(Memdev, query_memdev);
    TRY(memsave, 0xffff0, 16, suite_file(s, "memory"), NULL);
    TRY(memsave, 0, 16, suite_file(s, "memory"), LIBQMP_MEMSAVE_OPTIONS(.has_cpu_index = true, .cpu_index = 1));
    TRY(memsave, 0, 16, suite_file(s, "memory"), LIBQMP_MEMSAVE_OPTIONS(.has_cpu_index = true, .cpu_index = 9));
    TRY(memsave, 0, 16, suite_file(s, "none/memory"), NULL);
    TRY(pmemsave, 0, 70000, suite_file(s, "memory"));
    TRY(pmemsave, 0, 16, suite_file(s, "none/memory"));
    TRY(balloon, 1 << 20);
    GET(BalloonInfo, query_balloon);
}

/* libvirtd 9.0 does not survive the end of a dump that it has not begun. */
static void dump(Suite *s, bool paging, const char *protocol, const LibqmpDumpGuestMemoryOptions *options)
{
    if (!s->libvirt)
        TRY(dump_guest_memory, paging, protocol, options);
}

static void dumps(Suite *s)
{
    g_autofree char *to = g_strconcat("file:", suite_file(s, "core"), NULL);
    LibqmpDumpGuestMemoryOptions *all =
        LIBQMP_DUMP_GUEST_MEMORY_OPTIONS(.has_detach = true, .has_begin = true, .has_length = true, .length = 4096,
                                         .has_format = true);
    LibqmpDumpGuestMemoryOptions *half = LIBQMP_DUMP_GUEST_MEMORY_OPTIONS(.has_begin = true);
    LibqmpDumpGuestMemoryOptions *kdump =
        LIBQMP_DUMP_GUEST_MEMORY_OPTIONS(.has_format = true, .format = QMP_DUMP_GUEST_MEMORY_FORMAT_KDUMP_ZLIB);

    GET(DumpQueryResult, query_dump);
    GET(DumpGuestMemoryCapability, query_dump_guest_memory_capability);
    dump(s, false, to, NULL);
    dump(s, true, to, NULL);
    dump(s, false, to, all);
    GET(DumpQueryResult, query_dump);
    dump(s, false, to, half);
    dump(s, true, to, kdump);
    dump(s, false, "nonsense", NULL);
    dump(s, false, "fd:none", NULL);
    dump(s, false, "file:/none/core", NULL);
}

static void set_capability(Suite *s, QmpMigrationCapability capability, bool state)
{
    QmpMigrationCapabilityStatus one = {.capability = capability, .state = state};
    QmpMigrationCapabilityStatusList list = {.count = 1, .items = (QmpMigrationCapabilityStatus *[]){&one}};

    TRY(migrate_set_capabilities, &list);
}

static void capabilities(Suite *s)
{
    LIST(MigrationCapabilityStatus, query_migrate_capabilities);
    set_capability(s, QMP_MIGRATION_CAPABILITY_XBZRLE, false);
    set_capability(s, QMP_MIGRATION_CAPABILITY_EVENTS, true);
    LIST(MigrationCapabilityStatus, query_migrate_capabilities);
}

static void parameters(Suite *s)
{
    QmpMigrateSetParameters fast = {.has_max_bandwidth = true, .max_bandwidth = 1 << 30};
    QmpMigrateSetParameters wrong = {.has_downtime_limit = true, .downtime_limit = -1};
    QmpStrOrNull none = {.kind = QMP_STR_OR_NULL_KIND_S, .u.s = (char *)""};
    /* as they are: most can be nothing else in Ferry yet */
    QmpMigrateSetParameters usual = {
        .has_announce_initial = true,
        .announce_initial = 50,
        .has_announce_max = true,
        .announce_max = 550,
        .has_announce_rounds = true,
        .announce_rounds = 5,
        .has_announce_step = true,
        .announce_step = 100,
        .has_compress_level = true,
        .compress_level = 1,
        .has_compress_threads = true,
        .compress_threads = 8,
        .has_compress_wait_thread = true,
        .compress_wait_thread = true,
        .has_decompress_threads = true,
        .decompress_threads = 2,
        .has_throttle_trigger_threshold = true,
        .throttle_trigger_threshold = 50,
        .has_cpu_throttle_initial = true,
        .cpu_throttle_initial = 20,
        .has_cpu_throttle_increment = true,
        .cpu_throttle_increment = 10,
        .has_cpu_throttle_tailslow = true,
        .cpu_throttle_tailslow = false,
        .has_max_cpu_throttle = true,
        .max_cpu_throttle = 99,
        .has_max_postcopy_bandwidth = true,
        .max_postcopy_bandwidth = 0,
        .has_downtime_limit = true,
        .downtime_limit = 300,
        .has_x_checkpoint_delay = true,
        .x_checkpoint_delay = 20000,
        .has_block_incremental = true,
        .block_incremental = false,
        .has_multifd_channels = true,
        .multifd_channels = 2,
        .has_multifd_compression = true,
        .multifd_compression = QMP_MULTI_FD_COMPRESSION_NONE,
        .has_multifd_zlib_level = true,
        .multifd_zlib_level = 1,
        .has_multifd_zstd_level = true,
        .multifd_zstd_level = 1,
        .has_xbzrle_cache_size = true,
        .xbzrle_cache_size = 64 << 20,
        .tls_creds = &none,
        .tls_hostname = &none,
        .tls_authz = &none,
    };

    GET(MigrationParameters, query_migrate_parameters);
    TRY(migrate_set_parameters, &usual);
    TRY(migrate_set_parameters, &fast);
    TRY(migrate_set_parameters, &wrong);
    GET(MigrationParameters, query_migrate_parameters);
}

void suite_machine(Suite *s)
{
    GET(StatusInfo, query_status);
    GET(TargetInfo, query_target);
    GET(KvmInfo, query_kvm);
    LIST(MachineInfo, query_machines);
    GET(NameInfo, query_name);
    GET(UuidInfo, query_uuid);
    GET(CurrentMachineParams, query_current_machine);
    GET(MigrationInfo, query_migrate);
    capabilities(s);
    parameters(s);
    LIST(PciInfo, query_pci);
    GET(HumanReadableText, x_query_irq);
    GET(HumanReadableText, x_query_numa);
    GET(HumanReadableText, x_query_ramblock);
    GET(HumanReadableText, x_query_roms);
    processors(s);
    memory(s);
    dumps(s);
}

/* --- objects ------------------------------------------------------------------------------------------------------ */

static void get(Suite *s, const char *path, const char *property)
{
    json_t *value = NULL;

    suite_settle(s, "qom_get", libqmp_qom_get(s->session, path, property, &value, &s->error));
    json_decref(value);
}

static void set(Suite *s, const char *path, const char *property, json_t *value)
{
    TRY(qom_set, path, property, value);
    json_decref(value);
}

static void tree(Suite *s)
{
    static const char *const paths[] = {
        "/",        "/machine",  "/machine/peripheral", "/machine/peripheral/card",      "/machine/unattached",
        "/objects", "/chardevs", "/objects/rng0",       "/machine/unattached/device[0]", "card",
        "/none",    ""};

    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
        LIST(ObjectPropertyInfo, qom_list, paths[i]);
    get(s, "/machine", "type");
    get(s, "/machine", "smp");
    get(s, "/machine/peripheral/card", "mac");
    get(s, "/machine/peripheral/card", "addr");
    get(s, "/machine/peripheral/card", "realized");
    get(s, "/machine/peripheral/card", "none");
    get(s, "/none", "type");
    set(s, "/machine", "type", json_string("x"));
    set(s, "/machine/peripheral/card", "mac", json_string("52:54:00:00:00:01"));
    set(s, "/machine/peripheral/card", "none", json_true());
    set(s, "/none", "type", json_null());
}

static void types(Suite *s)
{
    static const char *const names[] = {
        "virtio-net-pci",        "virtio-blk-pci",     "virtio-rng-pci",    "ide-hd", "ide-cd", "isa-serial",
        "pc-i440fx-7.2-machine", "memory-backend-ram", "qemu64-x86_64-cpu", "device", "none"};

    LIST(ObjectTypeInfo, qom_list_types, NULL);
    LIST(ObjectTypeInfo, qom_list_types,
         LIBQMP_QOM_LIST_TYPES_OPTIONS(.implements = "pci-device", .has_abstract = true));
    LIST(ObjectTypeInfo, qom_list_types,
         LIBQMP_QOM_LIST_TYPES_OPTIONS(.implements = "machine", .has_abstract = true, .abstract = true));
    LIST(ObjectTypeInfo, qom_list_types, LIBQMP_QOM_LIST_TYPES_OPTIONS(.implements = "none"));
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        LIST(ObjectPropertyInfo, device_list_properties, names[i]);
        LIST(ObjectPropertyInfo, qom_list_properties, names[i]);
    }
}

void suite_objects(Suite *s)
{
    tree(s);
    types(s);
    BOXED(ObjectOptions, object_add,
          "qom-type=memory-backend-ram,id=m0,size=65536,dump=off,merge=off,prealloc=on,share=on,reserve=on");
    BOXED(ObjectOptions, object_add,
          "qom-type=memory-backend-memfd,id=m1,size=65536,dump=on,merge=on,prealloc=off,share=on,"
          "reserve=off,hugetlb=off");
    BOXED(ObjectOptions, object_add,
          "qom-type=memory-backend-memfd,id=m2,size=2M,hugetlb=on,hugetlbsize=2M,reserve=off");
    BOXED(ObjectOptions, object_add,
          "qom-type=memory-backend-file,id=m3,size=65536,mem-path=@backend,dump=on,merge=on,"
          "prealloc=on,share=on,reserve=on,readonly=off");
    BOXED(ObjectOptions, object_add, "qom-type=memory-backend-file,id=m4,size=65536,mem-path=/none/backend");
    BOXED(ObjectOptions, object_add, "qom-type=memory-backend-ram,id=m5,size=0");
    BOXED(ObjectOptions, object_add, "qom-type=rng-random,id=r0,filename=/dev/random");
    BOXED(ObjectOptions, object_add, "qom-type=rng-random,id=r3,filename=/none");
    BOXED(ObjectOptions, object_add, "qom-type=rng-builtin,id=r1");
    BOXED(ObjectOptions, object_add, "qom-type=rng-builtin,id=r1");
    BOXED(ObjectOptions, object_add, "qom-type=rng-builtin,id=0/1");
    BOXED(ObjectOptions, object_add, "qom-type=iothread,id=t0");
    BOXED(ObjectOptions, object_add, "qom-type=secret,id=s0,data=c2VjcmV0,format=base64");
    BOXED(ObjectOptions, object_add, "qom-type=secret,id=s1,file=@disk,format=raw");
    BOXED(ObjectOptions, object_add, "qom-type=secret,id=s2");
    BOXED(ObjectOptions, object_add, "qom-type=secret,id=s3,data=x,file=@disk");
    LIST(Memdev, query_memdev);
    LIST(IOThreadInfo, query_iothreads);
    LIST(ObjectPropertyInfo, qom_list, "/objects");
    get(s, "/objects/m0", "size");
    get(s, "/objects/m0", "share");
    get(s, "/objects/m0", "policy");
    static const char *const ids[] = {"m0", "m1", "m2", "m3", "m4", "r0", "r1", "t0", "s0", "s1", "rng0", "none"};
    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
        TRY(object_del, ids[i]);
}

/* --- what makes it run, and end ----------------------------------------------------------------------------------- */

static void keys(Suite *s)
{
    QmpKeyValueList none = {0};

    for (int i = 0; i < QMP_Q_KEY_CODE__MAX; i++) {
        QmpKeyValue code = {.type = QMP_KEY_VALUE_KIND_QCODE, .u.qcode = &(QmpQKeyCodeWrapper){.data = (QmpQKeyCode)i}};
        QmpKeyValueList one = {.count = 1, .items = (QmpKeyValue *[]){&code}};
        TRY(send_key, &one, LIBQMP_SEND_KEY_OPTIONS(.has_hold_time = true, .hold_time = 1));
    }
    QmpKeyValue number = {.type = QMP_KEY_VALUE_KIND_NUMBER, .u.number = &(QmpIntWrapper){.data = 0x1e}};
    QmpKeyValueList one = {.count = 1, .items = (QmpKeyValue *[]){&number}};
    TRY(send_key, &one, NULL);
    TRY(send_key, &none, NULL);
}

static void actions(Suite *s)
{
    TRY(x_exit_preconfig);
    TRY(set_action, NULL);
    TRY(set_action, LIBQMP_SET_ACTION_OPTIONS(.has_reboot = true, .reboot = QMP_REBOOT_ACTION_SHUTDOWN));
    TRY(set_action, LIBQMP_SET_ACTION_OPTIONS(.has_reboot = true, .reboot = QMP_REBOOT_ACTION_RESET,
                                              .has_shutdown = true, .shutdown = QMP_SHUTDOWN_ACTION_PAUSE));
}

/* Until the state is written, or that is so. */
static void await_migration(Suite *s, QmpMigrationStatus wanted)
{
    bool goes_on = true;

    s->quiet = true;
    while (goes_on) {
        g_autoptr(QmpMigrationInfo) info = libqmp_query_migrate(s->session, &s->error);
        suite_settle(s, "query_migrate", info != NULL);
        goes_on = info && info->has_status && info->status != wanted &&
                  info->status != QMP_MIGRATION_STATUS_COMPLETED && info->status != QMP_MIGRATION_STATUS_FAILED;
        g_usleep(10000);
    }
    s->quiet = false;
}

void suite_run(Suite *s)
{
    g_autofree char *to = g_strconcat("exec:/bin/cat >", suite_file(s, "state"), NULL);

    actions(s);
    keys(s);
    TRY(cont);
    TRY(cont);
    GET(StatusInfo, query_status);
    TRY(inject_nmi);
    TRY(system_reset);
    TRY(system_powerdown);
    TRY(stop);
    TRY(stop);
    GET(StatusInfo, query_status);
    GET(MigrationInfo, query_migrate);
    TRY(migrate_incoming, "defer");
    TRY(migrate, "nonsense", NULL);
    TRY(migrate_cancel);
    set_capability(s, QMP_MIGRATION_CAPABILITY_PAUSE_BEFORE_SWITCHOVER, true);
    TRY(migrate_continue, QMP_MIGRATION_STATUS_PRE_SWITCHOVER);
    TRY(migrate, to, LIBQMP_MIGRATE_OPTIONS(.has_detach = true, .detach = true));
    await_migration(s, QMP_MIGRATION_STATUS_PRE_SWITCHOVER);
    TRY(migrate_continue, QMP_MIGRATION_STATUS_PRE_SWITCHOVER);
    await_migration(s, QMP_MIGRATION_STATUS_COMPLETED);
    set_capability(s, QMP_MIGRATION_CAPABILITY_PAUSE_BEFORE_SWITCHOVER, false);
    GET(MigrationInfo, query_migrate);
    GET(StatusInfo, query_status);
    TRY(screendump, suite_file(s, "screen"), NULL);
    TRY(screendump, suite_file(s, "screen"), LIBQMP_SCREENDUMP_OPTIONS(.device = "none", .has_head = true));
    TRY(screendump, suite_file(s, "screen"),
        LIBQMP_SCREENDUMP_OPTIONS(.has_format = true, .format = QMP_IMAGE_FORMAT_PNG));
    suite_terminal(s);     /* QEMU has no standard input any more from here on */
    s->quiet = s->libvirt; /* which may see the end before the answer */
    TRY(quit);
}
