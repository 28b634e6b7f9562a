// SPDX-License-Identifier: Apache-2.0
// schema_fetch.c - schemas of a registry, parsed, with all that they refer to.
#include "cli/schema.h"
#include "format/format.h"

enum { REFERENCE_DEPTH_MAX = 64 };

static struct schema *fetch(struct registry_client *c, struct str path, int depth);

static struct schema *made_of(struct registry_client *c, const struct json_value *found, int depth)
{
    struct run *run = c->run;
    const struct json_value *list = json_get(found, STR("references"));
    size_t count = list == NULL ? 0 : list->count;
    struct schema_reference *references = run_room(run, count, sizeof *references);
    size_t made = 0;
    for (const struct json_value *v = count == 0 || references == NULL ? NULL : list->first; v != NULL;
         v = v->next) {
        int64_t number = 0;
        (void)json_value_i64(json_get(v, STR("version")), &number);
        struct str path = path_of(run, "/subjects/%S/versions/%S?deleted=true",
                                  json_get_str(v, STR("subject")), run_print(run, "%lld", (long long)number));
        struct schema *referred = fetch(c, path, depth + 1);
        if (referred == NULL) {
            break;
        }
        references[made++] = (struct schema_reference){json_get_str(v, STR("name")), referred};
    }
    struct schema *schema = NULL;
    struct str type = json_get_str(found, STR("schemaType"));
    struct schema_source source = {
        .text = json_get_str(found, STR("schema")), .references = references, .reference_count = made};
    struct error e = {0};
    if (made == count && format_find(type.ptr == NULL ? STR("AVRO") : type, &source.format)) {
        enum err err = schema_create(&source, &schema, &e);
        if (err != ERR_OK) {
            run_fail(run, "cannot read the schema", err, &e, NULL);
        }
    }
    for (size_t i = 0; i < made; i++) {
        schema_unref((struct schema *)references[i].schema);
    }
    return schema;
}

static struct schema *fetch(struct registry_client *c, struct str path, int depth)
{
    struct json_value *found = NULL;
    if (depth > REFERENCE_DEPTH_MAX ||
        !registry_get(c, "cannot get the schema", "GET", path, (struct str){0}, &found)) {
        return NULL;
    }
    return made_of(c, found, depth);
}

struct schema *schema_fetch(struct registry_client *c, struct str subject, struct str version)
{
    return fetch(c, path_of(c->run, "/subjects/%S/versions/%S?deleted=true", subject, version), 0);
}

struct schema *schema_of(struct registry_client *c, const struct json_value *found)
{
    return made_of(c, found, 0);
}
