/*
 * check-docs.c: is everything documented, and nothing that is not there? What is said of members and features goes to
 * them.
 */
#include <string.h>

#include "tools/qapi-gen/schema-impl.h"

/* What the members of such a thing are called. */
static const char *member_word(const Definition *d)
{
    switch (d->kind) {
    case KIND_ENUM:
        return "value";
    case KIND_ALTERNATE:
        return "branch";
    case KIND_COMMAND:
        return "argument";
    default:
        return "member";
    }
}

static bool is_strict(const Schema *schema, const Definition *d)
{
    return schema->pragma.doc_required && !g_hash_table_contains(schema->pragma.undocumented, d->name);
}

static bool check_members(const Schema *schema, const Definition *d, GError **error)
{
    for (unsigned i = 0; i < d->members->len; i++) {
        Member *member = member_at(d->members, i);
        DocSection *section = d->doc ? doc_find(d->doc->members, member->name) : NULL;
        if (section) {
            section->used = true;
            member->about = section->text;
        } else if (is_strict(schema, d)) {
            return wrong(error, member->where, "%s '%s' of %s '%s' has no documentation", member_word(d), member->name,
                         kind_name(d->kind), d->name);
        }
    }
    for (unsigned i = 0; d->doc && i < d->branches->len; i++) {
        Member *branch = member_at(d->branches, i);
        DocSection *section = doc_find(d->doc->members, branch->name);
        if (section)
            section->used = true, branch->about = section->text;
    }
    return true;
}

static bool check_features(const Schema *schema, const Definition *d, const GPtrArray *features, GError **error)
{
    for (unsigned i = 0; i < features->len; i++) {
        Feature *feature = g_ptr_array_index(features, i);
        DocSection *section = d->doc ? doc_find(d->doc->features, feature->name) : NULL;
        if (section) {
            section->used = true;
            feature->about = section->text;
        } else if (is_strict(schema, d)) {
            return wrong(error, feature->where, "feature '%s' of %s '%s' has no documentation", feature->name,
                         kind_name(d->kind), d->name);
        }
    }
    return true;
}

static bool check_used(const Definition *d, const GPtrArray *sections, const char *word, GError **error)
{
    for (unsigned i = 0; i < sections->len; i++) {
        const DocSection *section = g_ptr_array_index(sections, i);
        if (!section->used)
            return wrong(error, section->where, "'%s' is documented, but %s '%s' has no such %s", section->name,
                         kind_name(d->kind), d->name, word);
    }
    return true;
}

static bool check_sections(const Definition *d, GError **error)
{
    static const char *const of_commands[] = {"Returns", "Errors"};

    for (size_t i = 0; i < G_N_ELEMENTS(of_commands); i++) {
        const DocSection *section = doc_find(d->doc->sections, of_commands[i]);
        if (section && d->kind != KIND_COMMAND)
            return wrong(error, section->where, "'%s:' is for commands, '%s' is of kind %s", section->name, d->name,
                         kind_name(d->kind));
    }
    return true;
}

static bool check_definition(const Schema *schema, const Definition *d, GError **error)
{
    if (is_strict(schema, d) && !d->doc)
        return wrong(error, d->where, "%s '%s' has no documentation before it", kind_name(d->kind), d->name);
    if (is_strict(schema, d) && d->doc->body[0] == 0)
        return wrong(error, d->doc->where, "documentation of %s '%s' does not say what it is", kind_name(d->kind),
                     d->name);
    if (!check_members(schema, d, error) || !check_features(schema, d, d->features, error))
        return false;
    for (unsigned i = 0; i < d->members->len; i++) {
        if (!check_features(schema, d, member_at(d->members, i)->features, error))
            return false;
    }
    for (unsigned i = 0; i < d->branches->len; i++) {
        if (!check_features(schema, d, member_at(d->branches, i)->features, error))
            return false;
    }
    return !d->doc || (check_used(d, d->doc->members, member_word(d), error) &&
                       check_used(d, d->doc->features, "feature", error) && check_sections(d, error));
}

bool check_docs(const Schema *schema, GError **error)
{
    for (unsigned i = 0; i < schema->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(schema->entries, i);
        if (entry->definition && !check_definition(schema, entry->definition, error))
            return false;
    }
    return true;
}
