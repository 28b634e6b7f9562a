// SPDX-License-Identifier: Apache-2.0
// slots.c - the values at a program's paths, in one reading for all of them.
#include "format/json/node_private.h"

struct fill {
    const struct slots *slots;
    struct json_scan scan;
    struct view of; // program and payload
    struct view *views;
};

static uint32_t child_named(const struct fill *f, uint32_t index)
{
    uint32_t child = f->slots->slots[index].first;
    while (child != 0 && !jschema_key_equal(&f->scan, f->slots->slots[child].name)) {
        child = f->slots->slots[child].next;
    }
    return child;
}

// fill_value takes the value whose first token was read. Of members with the same name the last one counts.
static void fill_value(struct fill *f, uint32_t index, enum json_token t)
{
    const struct slot *slot = &f->slots->slots[index];
    struct view view;
    slots_none(f->slots, index, f->views);
    if (t != JSON_TOKEN_OBJECT_BEGIN || slot->first == 0) {
        view = jschema_view_of(&f->of, &f->scan, t);
    } else {
        size_t begin = f->scan.token_pos;
        while ((t = json_scan_next(&f->scan)) == JSON_TOKEN_KEY) {
            uint32_t child = child_named(f, index);
            t = json_scan_next(&f->scan);
            if (child != 0) {
                fill_value(f, child, t);
            } else if (!json_scan_skip(&f->scan, t)) {
                break;
            }
        }
        view = f->of;
        view.kind = VIEW_RECORD;
        view.raw = bytes_of(f->of.payload.ptr + begin, f->scan.pos - begin);
    }
    if (slot->view != SLOT_INNER) {
        f->views[slot->view] = view;
    }
}

void jschema_fill_slots(const struct program *program, struct bytes payload, struct view *views)
{
    struct fill f = {.slots = program->slots, .views = views};
    f.of = (struct view){.program = program, .payload = payload};
    json_scan_init(&f.scan, (struct str){(const char *)payload.ptr, payload.len});
    fill_value(&f, 0, json_scan_next(&f.scan));
}
