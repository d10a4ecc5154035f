/* disks.c: nodes, drives and jobs. */
#include "tests/libqmp/suite/suite.h"

/* Until the job can be dismissed. */
static void await_job(Suite *s, const char *id)
{
    bool goes_on = true;

    s->quiet = true;
    while (goes_on) {
        g_auto(QmpJobInfoList) jobs = {0};
        suite_settle(s, "query_jobs", libqmp_query_jobs(s->session, &jobs, &s->error));
        goes_on = false;
        for (size_t i = 0; i < jobs.count; i++)
            goes_on |= g_str_equal(jobs.items[i]->id, id) && jobs.items[i]->status != QMP_JOB_STATUS_CONCLUDED;
        g_usleep(10000);
    }
    s->quiet = false;
}

static void verbs(Suite *s, const char *id)
{
    TRY(job_pause, id);
    TRY(job_resume, id);
    TRY(job_cancel, id);
    TRY(job_complete, id);
    TRY(job_finalize, id);
    TRY(job_dismiss, id);
}

static void after_job(Suite *s)
{
    await_job(s, "job");
    LIST(JobInfo, query_jobs);
    TRY(job_dismiss, "job");
}

static void create(Suite *s, const char *text)
{
    g_autoptr(QmpBlockdevCreateOptions) options = suite_value(s, &qmp_type_BlockdevCreateOptions, text);

    TRY(blockdev_create, "job", options);
    after_job(s);
}

static void look(Suite *s)
{
    LIST(BlockInfo, query_block);
    LIST(BlockDeviceInfo, query_named_block_nodes, NULL);
    LIST(BlockDeviceInfo, query_named_block_nodes,
         LIBQMP_QUERY_NAMED_BLOCK_NODES_OPTIONS(.has_flat = true, .flat = true));
    LIST(BlockStats, query_blockstats, NULL);
    LIST(BlockStats, query_blockstats, LIBQMP_QUERY_BLOCKSTATS_OPTIONS(.has_query_nodes = true, .query_nodes = true));
}

/* Of the machine, in an image that a device has. */
static void snapshots(Suite *s)
{
    BOXED(SnapshotSaveOptions, snapshot_save, "job-id=job,tag=one,vmstate=top,devices.0=top");
    after_job(s);
    LIST(BlockDeviceInfo, query_named_block_nodes, NULL);
    BOXED(SnapshotSaveOptions, snapshot_save, "job-id=job,tag=one,vmstate=top,devices.0=top");
    after_job(s);
    BOXED(SnapshotSaveOptions, snapshot_save, "job-id=job,tag=two,vmstate=none,devices.0=top");
    after_job(s);
    BOXED(SnapshotSaveOptions, snapshot_save, "job-id=job,tag=two,vmstate=raw,devices.0=raw");
    after_job(s);
    BOXED(SnapshotLoadOptions, snapshot_load, "job-id=job,tag=one,vmstate=top,devices.0=top");
    after_job(s);
    GET(StatusInfo, query_status);
    BOXED(SnapshotLoadOptions, snapshot_load, "job-id=job,tag=none,vmstate=top,devices.0=top");
    after_job(s);
    BOXED(SnapshotDeleteOptions, snapshot_delete, "job-id=job,tag=one,devices.0=top");
    after_job(s);
    BOXED(SnapshotDeleteOptions, snapshot_delete, "job-id=job,tag=none,devices.0=none");
    after_job(s);
}

/* Files first, then what is written into them. */
static void images(Suite *s)
{
    create(s, "driver=file,filename=@base,size=0,preallocation=off");
    create(s, "driver=file,filename=@top,size=0");
    create(s, "driver=file,filename=@data,size=65536,preallocation=falloc");
    create(s, "driver=file,filename=/none/base,size=0");
    BOXED(BlockdevOptions, blockdev_add,
          "driver=file,node-name=base-file,filename=@base,cache.direct=off,cache.no-flush=on,discard=unmap,"
          "detect-zeroes=on,read-only=off,auto-read-only=off,force-share=off,locking=off,aio=threads");
    BOXED(BlockdevOptions, blockdev_add, "driver=file,node-name=top-file,filename=@top");
    BOXED(BlockdevOptions, blockdev_add, "driver=file,node-name=data-file,filename=@data,aio=io_uring");
    create(s, "driver=qcow2,file=base-file,size=1M,version=v3,cluster-size=4096,refcount-bits=8,preallocation=metadata,"
              "compression-type=zstd");
    create(s, "driver=qcow2,file=base-file,size=1M,lazy-refcounts=on");
    create(s, "driver=qcow2,file=base-file,size=1M,extended-l2=off");
    create(s, "driver=qcow2,file=top-file,size=1M,data-file=data-file,data-file-raw=on");
    create(s, "driver=qcow2,file=top-file,size=1M,version=v2");
    create(s, "driver=qcow2,file=top-file,size=1M,backing-file=base,backing-fmt=qcow2");
    create(s, "driver=qcow2,file=none,size=1M");
    create(s, "driver=qcow2,file=top-file,size=1M,cluster-size=1000");
    create(s, "driver=qcow2,file=top-file,size=1M,data-file=data-file,data-file-raw=off");
    BOXED(BlockdevOptions, blockdev_add, "driver=qcow2,node-name=apart,file=top-file,data-file=data-file");
    look(s);
    TRY(blockdev_del, "apart");
    create(s, "driver=qcow2,file=top-file,size=1M,backing-file=base,backing-fmt=qcow2");
    TRY(blockdev_del, "base-file");
    TRY(blockdev_del, "top-file");
    TRY(blockdev_del, "data-file");
}

static void nodes(Suite *s)
{
    BOXED(BlockdevOptions, blockdev_add,
          "driver=qcow2,node-name=base,file.driver=file,file.filename=@base,read-only=on,"
          "l2-cache-size=65536,refcount-cache-size=65536");
    BOXED(BlockdevOptions, blockdev_add, "driver=file,node-name=top-file,filename=@top");
    BOXED(BlockdevOptions, blockdev_add, "driver=qcow2,node-name=top,file=top-file,backing=base");
    BOXED(BlockdevOptions, blockdev_add, "driver=qcow2,node-name=top,file=top-file");
    BOXED(BlockdevOptions, blockdev_add,
          "driver=raw,node-name=raw,file.driver=file,file.filename=@data,cache.direct=on");
    BOXED(BlockdevOptions, blockdev_add, "driver=raw,node-name=raw2,file=none");
    BOXED(BlockdevOptions, blockdev_add, "driver=file,node-name=none,filename=/none/base");
    BOXED(BlockdevOptions, blockdev_add, "driver=host_device,node-name=none,filename=@data");
    BOXED(BlockdevOptions, blockdev_add, "driver=file,filename=@base");
    look(s);
    TRY(blockdev_del, "base");
    TRY(blockdev_del, "top-file");
    suite_add_device(s, "{'driver': 'virtio-blk-pci', 'id': 'hot', 'drive': 'top'}");
    suite_add_device(s, "{'driver': 'virtio-blk-pci', 'id': 'hot', 'drive': 'raw'}");
    suite_add_device(s, "{'driver': 'virtio-blk-pci', 'drive': 'none'}");
    suite_add_device(s, "{'driver': 'virtio-rng-pci', 'id': 'r', 'bus': 'none'}");
    suite_add_device(s, "{'driver': 'virtio-rng-pci', 'id': 'r', 'bus': 'pci.0', 'addr': '15'}");
    suite_add_device(s, "{'driver': 'none'}");
    look(s);
    snapshots(s);
    TRY(blockdev_del, "top");
    TRY(device_del, "hot");
    TRY(device_del, "none");
    TRY(device_del, "/machine/peripheral/r");
    TRY(blockdev_del, "raw");
    TRY(blockdev_del, "none");
}

void suite_disks(Suite *s)
{
    look(s);
    LIST(JobInfo, query_jobs);
    verbs(s, "none");
    images(s);
    create(s, "driver=file,filename=@more,size=4096,preallocation=full");
    g_autoptr(QmpBlockdevCreateOptions) options =
        suite_value(s, &qmp_type_BlockdevCreateOptions, "driver=file,filename=@more,size=0");
    TRY(blockdev_create, "job", options);
    await_job(s, "job");
    TRY(blockdev_create, "job", options);
    verbs(s, "job");
    nodes(s);
}
