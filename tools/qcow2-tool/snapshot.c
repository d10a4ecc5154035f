/* snapshot.c: qcow2-tool snapshot. */
#include <stdio.h>
#include <string.h>

#include "tools/qcow2-tool/info.h"
#include "tools/qcow2-tool/transport.h"
#include "visitors/error.h"
#include "visitors/uuid.h"

static const char more[] =
    "A SNAPSHOT is a tag, an id or a UUID.\nExit status: 0 done, 2 wrong usage, 3 it could not be "
    "done.\nSee qcow2-tool(1).\n";

/* Only qcow2 images have snapshots; backing files do not matter. */
static Image *open_image(const char *path, bool read_only, GError **error)
{
    ImagePath options = {.read_only = read_only, .no_backing = true};
    Image *image = tool_open(path, &options, error);

    if (!image || qcow2_header(image))
        return image;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "%s: %s images have no snapshots", path, image->format);
    image_close(image);
    return NULL;
}

/* --- list, tree ------------------------------------------------------------------------------------------------- */

static const GOptionEntry list_entries[] = {TOOL_IMAGE_FORMAT, TOOL_FORMAT, TOOL_SHARE, TOOL_END};

static int list_main(int argc, char **argv)
{
    char **rest = cli_parse(&argc, &argv, list_entries, "IMAGE", 1, "Lists the snapshots in IMAGE.", more);
    GError *error = NULL;
    ChanOut *out = tool_out();
    g_autoptr(JsonWrite) json = json_write_new(out, 2);
    bool as_json = tool_json();
    g_autoptr(Image) image = open_image(rest[0], true, &error);

    if (image && as_json)
        info_snapshots_json(json, NULL, image);
    else if (image)
        info_snapshots_text(out, image);
    return tool_finish(out, EXIT_FINE, error);
}

static const GOptionEntry tree_entries[] = {TOOL_IMAGE_FORMAT, TOOL_FORMAT, TOOL_SHARE, TOOL_END};

static int tree_main(int argc, char **argv)
{
    char **rest =
        cli_parse(&argc, &argv, tree_entries, "IMAGE", 1,
                  "Shows which snapshot in IMAGE was made of which; the disk comes from the one with a star.", more);
    GError *error = NULL;
    ChanOut *out = tool_out();
    g_autoptr(JsonWrite) json = json_write_new(out, 3);
    bool as_json = tool_json();
    g_autoptr(Image) image = open_image(rest[0], true, &error);

    if (image)
        tree_put(image, out, as_json ? json : NULL);
    json_write_close_to(json, 0);
    return tool_finish(out, EXIT_FINE, error);
}

/* --- create, apply, delete -------------------------------------------------------------------------------------- */

static struct {
    char *id, *uuid, *parent;
    gboolean reparent;
} opt;

static const GOptionEntry create_entries[] = {
    TOOL_IMAGE_FORMAT,
    {"id", 0, 0, G_OPTION_ARG_STRING, &opt.id, "Its id; by default a number that is free", "ID"},
    {"uuid", 0, 0, G_OPTION_ARG_STRING, &opt.uuid, "Its UUID; by default a random one", "UUID"},
    {"parent", 0, 0, G_OPTION_ARG_STRING, &opt.parent,
     "The UUID of its parent, or none; by default what the disk comes from", "UUID"},
    TOOL_QUIET,
    TOOL_END,
};

static const uint8_t *uuid_option(const char *text, const char *what, uint8_t uuid[UUID_OCTETS])
{
    if (text && !uuid_parse(text, uuid))
        cli_usage("--%s: '%s' is no UUID", what, text);
    return text ? uuid : NULL;
}

static int make_main(int argc, char **argv)
{
    char **rest = cli_parse(&argc, &argv, create_entries, "IMAGE TAG", 2,
                            "Keeps what the disk in IMAGE is now as a new snapshot.", more);
    uint8_t uuid[UUID_OCTETS], parent[UUID_OCTETS] = {0};
    bool root = opt.parent && strcmp(opt.parent, "none") == 0;
    Qcow2SnapshotNew new = {
        .name = rest[1],
        .id = opt.id,
        .uuid = uuid_option(opt.uuid, "uuid", uuid),
        .parent = root ? parent : uuid_option(opt.parent, "parent", parent),
        .date_ns = g_get_real_time() * 1000,
        .icount = UINT64_MAX,
    };
    GError *error = NULL;
    g_autoptr(Image) image = open_image(rest[0], false, &error);

    if (image && qcow2_snapshot_create(image, &new, &error) && !tool.quiet) {
        const Qcow2Snapshot *made = qcow2_snapshot_find(image, rest[1], NULL);
        char text[UUID_TEXT] = "";
        if (made)
            uuid_text(made->uuid, text);
        printf("%s: snapshot '%s', %s\n", rest[0], rest[1], text);
    }
    return tool_finish(NULL, EXIT_FINE, error);
}

static const GOptionEntry apply_entries[] = {TOOL_IMAGE_FORMAT, TOOL_QUIET, TOOL_END};

static int apply_main(int argc, char **argv)
{
    char **rest = cli_parse(&argc, &argv, apply_entries, "IMAGE SNAPSHOT", 2,
                            "Makes the disk in IMAGE what it was then; what it is now is lost.", more);
    GError *error = NULL;
    g_autoptr(Image) image = open_image(rest[0], false, &error);
    const Qcow2Snapshot *found = image ? qcow2_snapshot_find(image, rest[1], &error) : NULL;

    if (found && qcow2_snapshot_goto(image, found, &error) && !tool.quiet)
        printf("%s: the disk is what it was in '%s'\n", rest[0], rest[1]);
    return tool_finish(NULL, EXIT_FINE, error);
}

static const GOptionEntry delete_entries[] = {
    TOOL_IMAGE_FORMAT,
    {"reparent", 0, 0, G_OPTION_ARG_NONE, &opt.reparent,
     "Its children become its parent's; otherwise it must have none", NULL},
    TOOL_QUIET,
    TOOL_END,
};

static int delete_main(int argc, char **argv)
{
    char **rest = cli_parse(&argc, &argv, delete_entries, "IMAGE SNAPSHOT", 2, "Deletes a snapshot from IMAGE.", more);
    GError *error = NULL;
    g_autoptr(Image) image = open_image(rest[0], false, &error);
    const Qcow2Snapshot *found = image ? qcow2_snapshot_find(image, rest[1], &error) : NULL;

    if (found &&
        qcow2_snapshot_delete(image, found, opt.reparent ? QCOW2_ORPHANS_REPARENT : QCOW2_ORPHANS_REFUSE, &error) &&
        !tool.quiet)
        printf("%s: snapshot '%s' is deleted\n", rest[0], rest[1]);
    return tool_finish(NULL, EXIT_FINE, error);
}

/* --- which ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} verbs[] = {
    {"list", list_main, "List them"},
    {"tree", tree_main, "Show which was made of which"},
    {"create", make_main, "Keep what the disk is now"},
    {"apply", apply_main, "Make the disk what it was then"},
    {"delete", delete_main, "Delete one"},
    {"export", export_main, "Write one, with its VM state, to a file of its own"},
    {"import", import_main, "Take one from such a file"},
};

static const GOptionEntry entries[] = {TOOL_END};

int snapshot_main(int argc, char **argv)
{
    static GString *volatile text; /* until the end, which may come while options are read */

    for (size_t i = 0; argc > 1 && i < G_N_ELEMENTS(verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) != 0)
            continue;
        g_autofree char *name = g_strconcat(argv[0], " ", argv[1], NULL);
        argv[1] = name;
        return verbs[i].run(argc - 1, argv + 1);
    }
    text = g_string_new("Verbs:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
        g_string_append_printf(text, "  %-10s %s\n", verbs[i].name, verbs[i].what);
    g_string_append(text, "\n'qcow2-tool snapshot VERB --help' tells more.\nSee qcow2-tool(1).\n");
    char **rest = cli_parse_some(&argc, &argv, entries, "VERB ...", 1, (size_t)argc, "Keeps the snapshots in an image.",
                                 text->str);
    cli_usage("'%s' is no verb: list, tree, create, apply, delete, export or import", *rest);
}
