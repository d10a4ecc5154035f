/* test-walk-pointer.c: what is behind a pointer follows its counter, whatever becomes of the load. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <string.h>

#include "tests/vmstate/walk-format.h"

typedef struct Link {
    char *name;
} Link;

typedef struct Chain {
    uint16_t length;
    uint8_t colour;
    Link *links;     /* length */
    uint32_t *loads; /* length */
} Chain;

static const VMStateField link_fields[] = {VMS_TEXT(Link, name), VMS_END};

static const VMStateDescription link_state = {
    .name = "link", .version = 1, .size = sizeof(Link), .fields = link_fields};

enum { CHAIN_MAX = 500 };

static const VMStateField chain_fields[] = {
    VMS_FIELD(Chain, length),
    VMS_FIELD(Chain, colour),
    {.name = "links",
     .kind = VMS_STRUCT,
     .array = true,
     .pointer = true,
     .offset = offsetof(Chain, links),
     .size = sizeof(Link),
     .count = CHAIN_MAX,
     VMS_COUNTED_BY(Chain, length),
     .desc = &link_state},
    VMS_POINTED(Chain, loads, length, CHAIN_MAX, .since = 2),
    VMS_END,
};

static const VMStateDescription chain_state = {
    .name = "chain", .version = 2, .minimum = 1, .size = sizeof(Chain), .fields = chain_fields};

static Chain *chain_new(uint16_t length, const char *name)
{
    Chain *c = vms_state_new(&chain_state);

    c->length = length;
    c->links = g_new0(Link, length);
    c->loads = g_new0(uint32_t, length);
    for (unsigned i = 0; i < length; i++) {
        c->links[i].name = g_strdup(name);
        c->loads[i] = 1000 + i;
    }
    return c;
}

/* Loads version 1, which has no `loads`, into a chain of another length. */
static Chain *load_old_chain(uint16_t from, uint16_t to)
{
    Chain *source = chain_new(from, "new"), *c = chain_new(to, "old");
    g_autoptr(GError) error = NULL;
    ByteOut out = {0};

    save(&chain_state, source, QEMUFILE, &out);
    out.len -= from * sizeof(uint32_t);
    cr_assert(load(&chain_state, c, 1, QEMUFILE, &out, NULL, &error), "%s", error ? error->message : "");
    cr_assert_eq(c->length, from);
    for (unsigned i = 0; i < from; i++)
        cr_assert_str_eq(c->links[i].name, "new");
    byte_out_done(&out);
    vms_state_free(&chain_state, source);
    return c;
}

Test(walk, a_pointer_that_is_not_loaded_follows_its_counter)
{
    Chain *longer = load_old_chain(CHAIN_MAX, 3), *shorter = load_old_chain(2, 3), *empty = load_old_chain(0, 3);

    for (unsigned i = 0; i < CHAIN_MAX; i++)
        cr_assert_eq(longer->loads[i], i < 3 ? 1000 + i : 0, "element %u", i);
    cr_assert(shorter->loads[0] == 1000 && shorter->loads[1] == 1001);
    cr_assert_null(empty->links);
    cr_assert_null(empty->loads);
    vms_state_free(&chain_state, longer);
    vms_state_free(&chain_state, shorter);
    vms_state_free(&chain_state, empty);
}

/* The load fails behind the counter: there must be as many elements as it says, for whoever frees them. */
Test(walk, a_pointer_follows_its_counter_when_the_load_fails_in_between)
{
    Chain *source = chain_new(CHAIN_MAX, "new"), *c = chain_new(3, "old");
    ByteOut out = {0};

    save(&chain_state, source, QEMUFILE, &out);
    out.len = 2;
    cr_assert_not(load(&chain_state, c, 2, QEMUFILE, &out, NULL, NULL));
    cr_assert_eq(c->length, CHAIN_MAX);
    for (unsigned i = 0; i < CHAIN_MAX; i++) {
        cr_assert_eq(c->loads[i], i < 3 ? 1000 + i : 0, "element %u", i);
        cr_assert_eq(g_strcmp0(c->links[i].name, i < 3 ? "old" : NULL), 0, "element %u", i);
    }
    byte_out_done(&out);
    vms_state_free(&chain_state, source);
    vms_state_free(&chain_state, c);
}

Test(walk, a_counter_beyond_the_room_is_refused_even_if_what_it_counts_is_not_loaded)
{
    Chain *c = chain_new(3, "old");
    VMStateField fields[] = {chain_fields[0], chain_fields[3], VMS_END};
    VMStateDescription desc = chain_state;
    g_autoptr(GError) error = NULL;
    ByteOut out = {0};

    desc.fields = fields;
    byte_out_be16(&out, CHAIN_MAX + 1);
    cr_assert_not(load(&desc, c, 1, QEMUFILE, &out, NULL, &error));
    cr_assert_not_null(strstr(error->message, "length says 501 elements, there is room for 500"), "%s", error->message);
    byte_out_done(&out);
    c->length = 3;
    vms_state_free(&chain_state, c);
}

/* Under AddressSanitizer, which has its own heap, LeakSanitizer finds them. */
Test(walk, what_the_elements_owned_is_freed_when_others_take_their_place)
{
    g_autofree char *name = g_strnfill(255, 'n');
    Chain *source = chain_new(CHAIN_MAX, name), *c = chain_new(CHAIN_MAX, name);
    ByteOut out = {0};
    size_t before = 0;

    save(&chain_state, source, QEMUFILE, &out);
    for (int i = 0; i < 20; i++) {
        cr_assert(load(&chain_state, c, 2, QEMUFILE, &out, NULL, NULL));
        if (i == 0)
            before = mallinfo2().uordblks;
    }
    cr_assert_lt(mallinfo2().uordblks, before + CHAIN_MAX * 255);
    byte_out_done(&out);
    vms_state_free(&chain_state, source);
    vms_state_free(&chain_state, c);
}
