/*
 * qcow2-tool: makes, shows, checks, converts and measures disk images, and keeps their snapshots.
 */
#include <stdio.h>
#include <string.h>

#include "tools/qcow2-tool/tool.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} commands[] = {
    {"create", create_main, "Make an image"},
    {"info", info_main, "Say what an image is"},
    {"check", check_main, "Look for what is wrong with an image, and repair it"},
    {"map", map_main, "Say what lies where"},
    {"snapshot", snapshot_main, "List, tree, create, apply, delete, export, import snapshots"},
    {"convert", convert_main, "Copy images into a new one, of another format maybe"},
    {"resize", resize_main, "Make the disk larger or smaller"},
    {"bench", bench_main, "Measure how fast requests are"},
    {"io", io_main, "Send requests to the disk"},
};

static const GOptionEntry entries[] = {TOOL_END};

static const char summary[] =
    "Makes, shows, checks and converts disk images (qcow2 and raw), and keeps their snapshots.";

static char *more(void)
{
    GString *text = g_string_new("Commands:\n");

    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        g_string_append_printf(text, "  %-10s %s\n", commands[i].name, commands[i].what);
    g_string_append(text,
                    "\n'qcow2-tool COMMAND --help' tells more.\nExit status: 0 fine, 1 check has found something, "
                    "2 wrong usage, 3 damaged or unreadable.\nSee qcow2-tool(1).\n");
    return g_string_free(text, FALSE);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        g_autofree char *base = g_path_get_basename(argv[0]), *name = g_strconcat(base, " ", argv[1], NULL);
        argv[1] = name;
        return commands[i].run(argc - 1, argv + 1);
    }
    static char *volatile text; /* until the end, which may come while options are read */
    text = more();
    char **rest = cli_parse_some(&argc, &argv, entries, "COMMAND ...", 1, (size_t)argc, summary, text);
    cli_usage("'%s' is no command: create, info, check, map, snapshot, convert, resize, bench or io", *rest);
}
