/*
 * test-options-forms.c: every option, and every key of every option, as keys and values, as JSON and in a file, means
 * the same.
 */
#include <glib/gstdio.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "tests/emu/support/options-rig.h"

typedef struct Form {
    const char *option, *keys, *json; /* JSON with apostrophes; NULL: what follows has one form */
} Form;

static const Form forms[] = {
    {"machine",
     "pc,usb=on,graphics=off,hpet=off,i8042=off,mem-merge=off,dump-guest-core=off,acpi=off,smm=off,vmport=on,"
     "kernel-irqchip=split,max-ram-below-4g=2G,memory-backend=m,accel=kvm:none",
     "{'type':'pc','usb':true,'graphics':false,'hpet':false,'i8042':false,'mem-merge':false,'dump-guest-core':false,"
     "'acpi':'off','smm':'off','vmport':'on','kernel-irqchip':'split','max-ram-below-4g':2147483648,"
     "'memory-backend':'m','accel':'kvm:none'}"},
    {"accel", "none,kernel-irqchip=off", "{'accel':'none','kernel-irqchip':'off'}"},
    {"cpu", "qemu64,+x2apic", NULL},
    {"smp", "8,maxcpus=16,sockets=2,dies=2,clusters=1,cores=2,threads=2",
     "{'cpus':8,'maxcpus':16,'sockets':2,'dies':2,'clusters':1,'cores':2,'threads':2}"},
    {"memory", "size=64,slots=2,maxmem=1G", "{'size':67108864,'slots':2,'maxmem':1073741824}"},
    {"kernel", "a,b=c", NULL},
    {"initrd", "i", NULL},
    {"append", "a=b,c", NULL},
    {"bios", "b", NULL},
    {"boot", "cd,once=d,menu=on,splash=s,splash-time=5,reboot-timeout=-1,strict=on",
     "{'order':'cd','once':'d','menu':true,'splash':'s','splash-time':5,'reboot-timeout':-1,'strict':true}"},
    {"rtc", "utc,clock=vm,driftfix=slew", "{'base':'utc','clock':'vm','driftfix':'slew'}"},
    {"drive",
     "a,,b,id=d,if=none,format=raw,media=cdrom,cache=unsafe,aio=native,discard=on,detect-zeroes=on,werror=stop,"
     "rerror=report,readonly=on,read-only=on,snapshot=on",
     "{'file':'a,b','id':'d','if':'none','format':'raw','media':'cdrom','cache':'unsafe','aio':'native','discard':'on',"
     "'detect-zeroes':'on','werror':'stop','rerror':'report','readonly':true,'read-only':true,'snapshot':true}"},
    {"drive", "a,,b,file.locking=off", "{'file':{'filename':'a,b','locking':'off'}}"},
    {"drive", "index=1", "{'index':1}"},
    {"drive", "bus=1,unit=0", "{'bus':1,'unit':0}"},
    {"blockdev", "file,node-name=f,filename=x,locking=on,aio=threads",
     "{'driver':'file','node-name':'f','filename':'x','locking':'on','aio':'threads'}"},
    {"blockdev",
     "qcow2,node-name=q,read-only=on,auto-read-only=on,force-share=on,discard=unmap,detect-zeroes=unmap,cache.direct=on,"
     "cache.no-flush=on,file=f,backing.driver=raw,backing.file.driver=host_device,backing.file.filename=y,l2-cache-size=1,"
     "refcount-cache-size=2,data-file.driver=file,data-file.filename=z",
     "{'driver':'qcow2','node-name':'q','read-only':true,'auto-read-only':true,'force-share':true,'discard':'unmap',"
     "'detect-zeroes':'unmap','cache':{'direct':true,'no-flush':true},'file':'f','backing':{'driver':'raw','file':"
     "{'driver':'host_device','filename':'y'}},'l2-cache-size':1,'refcount-cache-size':2,'data-file':{'driver':'file',"
     "'filename':'z'}}"},
    {"device", "gadget,id=g,bus=b,addr=4", "{'driver':'gadget','id':'g','bus':'b','addr':'4'}"},
    {"object", "memory-backend-ram,id=m,size=1M,dump=off,merge=off,prealloc=on,share=on,reserve=off",
     "{'qom-type':'memory-backend-ram','id':'m','size':1048576,'dump':false,'merge':false,'prealloc':true,'share':true,"
     "'reserve':false}"},
    {"object", "memory-backend-memfd,id=n,size=1M,hugetlb=on,hugetlbsize=2M",
     "{'qom-type':'memory-backend-memfd','id':'n','size':1048576,'hugetlb':true,'hugetlbsize':2097152}"},
    {"object", "memory-backend-file,id=o,size=1K,mem-path=/m,readonly=on",
     "{'qom-type':'memory-backend-file','id':'o','size':1024,'mem-path':'/m','readonly':true}"},
    {"object", "rng-random,id=r,filename=/r", "{'qom-type':'rng-random','id':'r','filename':'/r'}"},
    {"object", "secret,id=s,data=x,format=base64", "{'qom-type':'secret','id':'s','data':'x','format':'base64'}"},
    {"object", "secret,id=s,file=/dev/null", "{'qom-type':'secret','id':'s','file':'/dev/null'}"},
    {"netdev",
     "user,id=u,hostname=h,restrict=on,ipv4=on,ipv6=off,net=10.0.0.0/8,host=10.0.0.1,tftp=/t,bootfile=b,dhcpstart=10.0.0.2,"
     "dns=10.0.0.3,domainname=d,dnssearch=x,dnssearch=y,ipv6-prefix=fd00::,ipv6-prefixlen=64,ipv6-host=fd00::1,"
     "ipv6-dns=fd00::2,tftp-server-name=t,hostfwd=tcp::1-:2,hostfwd=udp::3-:4,guestfwd=tcp:10.0.0.9:1-cmd:x",
     "{'type':'user','id':'u','hostname':'h','restrict':true,'ipv4':true,'ipv6':false,'net':'10.0.0.0/8','host':'10.0.0.1',"
     "'tftp':'/t','bootfile':'b','dhcpstart':'10.0.0.2','dns':'10.0.0.3','domainname':'d','dnssearch':[{'str':'x'},{'str':'y'}],"
     "'ipv6-prefix':'fd00::','ipv6-prefixlen':64,'ipv6-host':'fd00::1','ipv6-dns':'fd00::2','tftp-server-name':'t','hostfwd':[{'str':'tcp::1-:2'},"
     "{'str':'udp::3-:4'}],'guestfwd':[{'str':'tcp:10.0.0.9:1-cmd:x'}]}"},
    {"netdev", "tap,id=t,ifname=i,script=s,downscript=d,vnet_hdr=on,vhost=off",
     "{'type':'tap','id':'t','ifname':'i','script':'s','downscript':'d','vnet_hdr':true,'vhost':false}"},
    {"netdev", "tap,id=t,fd=3", "{'type':'tap','id':'t','fd':'3'}"},
    {"netdev", "socket,id=s,udp=a:1,localaddr=b:2", "{'type':'socket','id':'s','udp':'a:1','localaddr':'b:2'}"},
    {"netdev", "socket,id=s,listen=:1", "{'type':'socket','id':'s','listen':':1'}"},
    {"netdev", "socket,id=s,connect=a:1", "{'type':'socket','id':'s','connect':'a:1'}"},
    {"netdev", "socket,id=s,mcast=a:1", "{'type':'socket','id':'s','mcast':'a:1'}"},
    {"netdev", "socket,id=s,fd=3", "{'type':'socket','id':'s','fd':'3'}"},
    {"netdev", "vde,id=v,sock=/s,port=1,group=g,mode=0700",
     "{'type':'vde','id':'v','sock':'/s','port':1,'group':'g','mode':448}"},
    {"nic", "user,id=n,model=virtio,mac=52:54:00:12:34:56,hostfwd=tcp::1-:2",
     "{'type':'user','id':'n','model':'virtio','mac':'52:54:00:12:34:56','hostfwd':[{'str':'tcp::1-:2'}]}"},
    {"net", "none", NULL},
    {"add-fd", "fd=3,set=2,opaque=x", "{'fd':3,'set':2,'opaque':'x'}"},
    {"chardev", "file,id=f,path=/o,input-path=/i,append=on,mux=on",
     "{'backend':'file','id':'f','path':'/o','input-path':'/i','append':true,'mux':true}"},
    {"chardev", "socket,id=s,host=h,port=1,server=on,wait=off,delay=off,nodelay=on",
     "{'backend':'socket','id':'s','host':'h','port':'1','server':true,'wait':false,'delay':false,'nodelay':true}"},
    {"chardev", "socket,id=s,path=/s,reconnect=1", "{'backend':'socket','id':'s','path':'/s','reconnect':1}"},
    {"chardev", "socket,id=s,fd=3", "{'backend':'socket','id':'s','fd':3}"},
    {"chardev", "stdio,id=t,signal=off", "{'backend':'stdio','id':'t','signal':false}"},
    {"chardev", "ringbuf,id=r,size=4K", "{'backend':'ringbuf','id':'r','size':4096}"},
    {"chardev", "null,id=c", "{'backend':'null','id':'c'}"},
    {"serial", "unix:/s,server=on", NULL},
    {"parallel", "none", NULL},
    {"mon", "c,id=m,mode=control,pretty=on", "{'chardev':'c','id':'m','mode':'control','pretty':true}"},
    {"mon", "line=null", "{'line':'null'}"},
    {"name", "a,,b,process=p,debug-threads=on", NULL},
    {"uuid", "01234567-89ab-cdef-FEDC-ba9876543210", NULL},
    {"incoming", "defer", NULL},
    {"loadvm", "t", NULL},
    {"stopped", NULL, NULL},
    {"preconfig", NULL, NULL},
    {"nodefaults", NULL, NULL},
    {"vga", "none", NULL},
    {"display", "none", "{'type':'none'}"},
    {"overcommit", "mem-lock=on,cpu-pm=off", "{'mem-lock':true,'cpu-pm':false}"},
    {"audiodev", "none,id=a", "{'driver':'none','id':'a'}"},
    {"msg", "timestamp=on,guest-name=on", "{'timestamp':true,'guest-name':true}"},
    {"nographic", NULL, NULL},
    {"daemonize", NULL, NULL},
    {"pidfile", "p", NULL},
    {"no-reboot", NULL, NULL},
    {"no-shutdown", NULL, NULL},
};

/* What others of them need: as many options as one line may have. */
static const char *const needed[] = {"-object",   "memory-backend-ram,id=m,size=1M", "-chardev", "null,id=c",
                                     "-blockdev", "file,node-name=f,filename=x",     "-kernel",  "k"};

/* What one option has said, beside what others need. New. */
static json_t *said_by(const char *option, const char *text)
{
    g_autofree char *word = g_strconcat("-", option, NULL);
    const char *words[G_N_ELEMENTS(needed) + 3];
    size_t count = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(needed); i += 2)
        if (!g_str_equal(needed[i] + 1, option) || g_str_equal(option, "blockdev")) {
            words[count++] = needed[i];
            words[count++] = needed[i + 1];
        }
    if (g_str_equal(option, "blockdev") && strstr(text, "filename") && !strstr(text, "qcow2"))
        count = 0; /* it is what the other needs */
    words[count++] = word;
    words[count] = text;
    words[count + (text != NULL)] = NULL;
    g_autoptr(Options) o = options_rig_parse(words);
    json_t *all = qapi_to_json(&qmp_type_Configuration, &o->said), *one = json_incref(json_object_get(all, option));
    json_decref(all);
    cr_assert(one, "%s", option);
    if (!json_is_array(one))
        return one;
    json_t *last = json_incref(json_array_get(one, json_array_size(one) - 1));
    json_decref(one);
    return last;
}

static void expect_same(const Form *form, json_t *one, json_t *other, const char *what)
{
    g_autofree char *a = json_dumps(one, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    g_autofree char *b = json_dumps(other, JSON_ENCODE_ANY | JSON_SORT_KEYS);

    cr_assert_str_eq(a, b, "-%s %s %s: %s, %s", form->option, form->keys, what, a, b);
}

Test(options_forms, keys_and_json_mean_the_same)
{
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
        const Form *form = &forms[i];
        json_t *keys = said_by(form->option, form->keys);
        if (form->json) {
            g_autofree char *text = g_strdelimit(g_strdup(form->json), "'", '"');
            json_t *json = said_by(form->option, text), *tree = json_loads(text, 0, NULL);
            expect_same(form, keys, json, "as JSON");
            expect_same(form, tree, json, "and what it was");
            json_decref(json);
            json_decref(tree);
        }
        json_decref(keys);
    }
}

/* "[drive]" and a line for each key. */
static char *as_group(const char *option, const json_t *keys)
{
    GString *text = g_string_new(NULL);
    const char *key;
    const json_t *value;

    g_string_printf(text, "[%s]\n", option);
    json_object_foreach ((json_t *)keys, key, value) {
        g_autofree char *other = json_is_integer(value) ? g_strdup_printf("%lldB", json_integer_value(value)) : NULL;
        bool size = other && strstr("size maxmem max-ram-below-4g hugetlbsize", key);
        if (other && !size)
            other[strlen(other) - 1] = 0;
        const char *word = json_is_string(value)    ? json_string_value(value)
                           : json_is_true(value)    ? "on"
                           : json_is_false(value)   ? "off"
                           : json_is_integer(value) ? other
                                                    : NULL;
        if (!word) {
            g_string_free(text, TRUE);
            return NULL; /* it has groups within it */
        }
        g_string_append_printf(text, "  %s = \"%s\"\n", key, word);
    }
    return g_string_free(text, FALSE);
}

Test(options_forms, a_file_says_the_same)
{
    unsigned tried = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
        const Form *form = &forms[i];
        g_autofree char *json = form->json ? g_strdelimit(g_strdup(form->json), "'", '"') : NULL, *path = NULL;
        json_t *tree = json ? json_loads(json, 0, NULL) : NULL;
        g_autofree char *group = tree ? as_group(form->option, tree) : NULL;
        json_decref(tree);
        if (!group || g_str_equal(form->option, "blockdev"))
            continue;
        int fd = g_file_open_tmp("options-XXXXXX", &path, NULL);
        cr_assert(fd >= 0 && g_file_set_contents(path, group, -1, NULL));
        close(fd);
        g_autoptr(Options) o =
            PARSE("-object", g_str_equal(form->option, "object") ? "iothread,id=i" : needed[1], "-chardev",
                  g_str_equal(form->option, "chardev") ? "null,id=z" : needed[3], "-readconfig", path);
        g_unlink(path);
        json_t *all = qapi_to_json(&qmp_type_Configuration, &o->said), *one = json_object_get(all, form->option);
        json_t *by_keys = said_by(form->option, form->keys);
        expect_same(form, by_keys, json_is_array(one) ? json_array_get(one, json_array_size(one) - 1) : one, group);
        json_decref(by_keys);
        json_decref(all);
        tried++;
    }
    cr_assert_geq(tried, 25, "%u", tried);
}

/* --- nothing is left out ------------------------------------------------------------------------------------------ */

static bool has_form(const char *option)
{
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++)
        if (g_str_equal(forms[i].option, option))
            return true;
    return false;
}

static void expect_key(const char *option, const char *key)
{
    g_autofree char *quoted = g_strdup_printf("'%s'", key);

    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++)
        if (g_str_equal(forms[i].option, option) &&
            (!forms[i].json ? strstr(forms[i].keys, key) : strstr(forms[i].json, quoted)))
            return;
    cr_assert(false, "-%s %s= is not tried", option, key);
}

static void expect_keys(const char *option, const QapiType *type)
{
    for (const QapiMember *m = type->members; m && m->name; m++)
        if (!g_str_equal(option, "name") || !g_str_equal(m->name, "guest")) /* which is implied, and has no JSON */
            expect_key(option, m->name);
}

Test(options_forms, every_key_of_every_option_is_tried)
{
    for (const QapiMember *m = qmp_type_Configuration.members; m->name; m++) {
        const QapiType *type = m->type->kind == QAPI_LIST ? m->type->element : m->type;
        cr_assert(has_form(m->name), "-%s is not tried", m->name);
        if (type->kind == QAPI_ANY)
            expect_keys(m->name, &qmp_type_DeviceOptions);
        if (type->kind == QAPI_STRUCT || type->kind == QAPI_UNION)
            expect_keys(m->name, type);
        /* -nic's are those of -netdev */
        for (int i = 0; type->kind == QAPI_UNION && type != &qmp_type_NicOptions && type->tag_type->names[i]; i++)
            if (type->variants[i])
                expect_keys(m->name, type->variants[i]);
    }
}

Test(options_forms, help_has_every_key_of_every_option)
{
    for (const QapiMember *m = qmp_type_Configuration.members; m->name; m++) {
        const QapiType *type = m->type->kind == QAPI_LIST ? m->type->element : m->type;
        g_autofree char *word = g_strconcat("-", m->name, NULL);
        if (type->kind != QAPI_STRUCT)
            continue;
        g_autoptr(Options) o = PARSE(word, "help");
        for (const QapiMember *key = type->members; key->name; key++) {
            g_autofree char *line = g_strdup_printf("\n  %s=", key->name);
            cr_assert(strstr(o->help, line), "%s: %s", word, o->help);
            cr_assert(strstr(o->help, key->about), "%s: %s", word, key->about);
        }
    }
}
