// SPDX-License-Identifier: Apache-2.0
// group_watch.c - `strom group describe --watch`: the lag again and again, with rates. What is remembered
// from one round to the next are the offsets of each partition; everything else is asked anew.
#include "cli/group_print.h"

#include "base/mem.h"
#include "cli/stop.h"
#include "cli/when.h"
#include "platform/real/process.h"

enum { NS_PER_S = 1000000000, NS_PER_MS = 1000000, NAMES_BYTES_MAX = 256 << 20 };

struct watched {
    struct str group;
    struct str topic; // NULL ptr = the whole group
    int32_t partition;
    struct rate committed;
    struct rate end;
};

struct watch {
    struct run *run;
    struct stop *stop;
    struct watched *seen; // of the last round, in the order in which they were shown
    size_t seen_count;
    struct arena seen_names;
    struct watched *now; // of this one
    size_t now_count;
    size_t now_room;
    struct arena now_names;
    int64_t now_ns;
    bool is_tty;
    bool is_first;
};

// remember adds a sample to what was known of a partition, or of a group where topic is NULL.
static struct group_pace remember(struct watch *w, struct str group, struct str topic, int32_t partition,
                                  int64_t committed, int64_t end)
{
    if (w->now_count == w->now_room) {
        w->now_room = w->now_room == 0 ? 64 : 2 * w->now_room;
        w->now = mem_realloc(w->now, w->now_room * sizeof *w->now);
    }
    struct watched *item = &w->now[w->now_count];
    *item = (struct watched){.partition = partition};
    // What stays comes at about the same place as before.
    for (size_t i = 0; i < w->seen_count; i++) {
        const struct watched *old = &w->seen[(w->now_count + i) % w->seen_count];
        if (old->partition == partition && str_equal(old->topic, topic) && str_equal(old->group, group)) {
            *item = *old;
            break;
        }
    }
    item->group = arena_str(&w->now_names, group);
    item->topic = arena_str(&w->now_names, topic);
    w->now_count++;
    struct group_pace pace = {-1, -1};
    if (committed >= 0) {
        rate_add(&item->committed, w->now_ns, committed);
    }
    if (end >= 0) {
        rate_add(&item->end, w->now_ns, end);
    }
    (void)rate_per_s(&item->committed, &pace.consumed_per_s);
    (void)rate_per_s(&item->end, &pace.produced_per_s);
    return pace;
}

static void round_end(struct watch *w)
{
    struct watched *items = w->seen;
    struct arena names = w->seen_names;
    w->seen = w->now;
    w->seen_count = w->now_count;
    w->seen_names = w->now_names;
    w->now = items;
    w->now_names = names;
    w->now_count = w->now_room = 0;
    mem_free(w->now);
    w->now = NULL;
    arena_reset(&w->now_names);
}

static void show_text(struct watch *w, const struct group *group, const struct group_offsets *offsets,
                      const struct group_pace *total, const struct group_pace *paces)
{
    struct run *run = w->run;
    char time[WHEN_TEXT_SIZE];
    when_format(clock_wall_ms(run->env->clock), time);
    group_text(run, group, offsets->lag);
    struct str consumed = rate_text(run, total->consumed_per_s);
    struct str produced = rate_text(run, total->produced_per_s);
    struct str zero = pace_text(run, offsets->lag, total);
    buf_printf(&run->out, "  %s, consumed " STR_FMT "/s, produced " STR_FMT "/s, zero in " STR_FMT "\n", time,
               STR_ARG(consumed.ptr == NULL ? STR("-") : consumed),
               STR_ARG(produced.ptr == NULL ? STR("-") : produced),
               STR_ARG(zero.ptr == NULL ? STR("-") : zero));
    group_offsets_table(run, offsets, paces);
    buf_u8(&run->out, '\n');
}

static void show_json(struct watch *w, const struct group *group, const struct group_offsets *offsets,
                      const struct group_pace *total, const struct group_pace *paces)
{
    struct json *json = &w->run->json;
    char time[WHEN_TEXT_SIZE];
    when_format(clock_wall_ms(w->run->env->clock), time);
    json_object_begin(json);
    json_pair_str(json, "time", str_from_c(time));
    group_json(w->run, group, offsets->lag);
    pace_json(w->run, offsets->lag, total);
    group_offsets_json(w->run, offsets, paces);
    json_object_end(json);
    buf_u8(&w->run->out, '\n');
}

static bool show_group(struct watch *w, struct str id)
{
    struct run *run = w->run;
    struct group group;
    struct group_offsets offsets;
    if (!group_find(run, id, &group)) {
        return false;
    }
    if (group.err != ERR_OK && group.err != ERR_GROUP_ID_NOT_FOUND) {
        run_refused(run, run_print(run, "cannot describe group " STR_FMT, STR_ARG(id)).ptr, group.err,
                    group.message, NULL);
        return false;
    }
    if (group.err != ERR_OK) { // it may come, and come back
        group = (struct group){.id = id,
                               .type = STR("classic"),
                               .state = STR("Dead"),
                               .coordinator = group.coordinator,
                               .coordinator_id = group.coordinator_id};
    }
    if (!group_offsets_read(run, &group, &offsets)) {
        return false;
    }
    struct group_pace *paces = run_room(run, offsets.count, sizeof *paces);
    if (paces == NULL) {
        return false;
    }
    int64_t committed = 0;
    int64_t end = 0;
    for (size_t i = 0; i < offsets.count; i++) {
        const struct group_offset *item = &offsets.items[i];
        bool counts = item->committed >= 0 && item->end >= 0;
        committed += counts ? item->committed : 0;
        end += counts ? item->end : 0;
        paces[i] = remember(w, id, item->topic, item->partition, item->committed, item->end);
    }
    struct group_pace total = remember(w, id, (struct str){NULL, 0}, -1, committed, end);
    if (run->is_json) {
        show_json(w, &group, &offsets, &total, paces);
    } else {
        show_text(w, &group, &offsets, &total, paces);
    }
    return true;
}

// frame_paint makes of the text a frame that replaces the one before: from the corner on, no line wraps, and
// what does not fit on the terminal is counted.
static void frame_paint(struct watch *w)
{
    struct run *run = w->run;
    int rows = process_tty_rows(PROCESS_STDOUT);
    struct buf frame;
    buf_init(&frame, CLI_OUT_BYTES_MAX);
    buf_printf(&frame, "%s\x1b[?7l\x1b[H", w->is_first ? "\x1b[2J" : "");
    struct str rest = str_trim(buf_str(&run->out));
    int lines = 0;
    int hidden = 0;
    while (rest.ptr != NULL) {
        struct str line = str_cut(rest, '\n', &rest);
        if (rows > 2 && lines >= rows - 2) {
            hidden++;
            continue;
        }
        buf_append_str(&frame, line);
        buf_printf(&frame, "\x1b[K\n");
        lines++;
    }
    if (hidden > 0) {
        buf_printf(&frame, "... and %d more lines: a higher terminal shows them\x1b[K\n", hidden);
    }
    buf_printf(&frame, "\x1b[J\x1b[?7h");
    buf_reset(&run->out);
    buf_append_str(&run->out, buf_str(&frame));
    buf_fini(&frame);
}

static bool show_round(struct watch *w)
{
    struct run *run = w->run;
    struct error e = {0};
    arena_reset(&run->arena);
    if (!client_is_connected(run->client)) {
        enum err err = client_connect(run->client, &e);
        if (err != ERR_OK) {
            run_fail(run, NULL, err, &e, NULL);
            return false;
        }
    }
    w->now_ns = clock_mono_ns(run->env->clock);
    for (size_t i = 0; i < run->args->name_count; i++) {
        if (!show_group(w, run->args->names[i])) {
            return false;
        }
    }
    round_end(w);
    if (w->is_tty && !run->is_json) {
        frame_paint(w);
    }
    w->is_first = false;
    return run_flush(run);
}

static void on_stop(void *arg)
{
    struct watch *w = arg;
    client_wake(w->run->client);
}

void group_watch(struct run *run)
{
    struct watch w = {.run = run, .is_tty = process_is_tty(PROCESS_STDOUT), .is_first = true};
    struct clock *clock = run->env->clock;
    arena_init(&w.seen_names, NAMES_BYTES_MAX);
    arena_init(&w.now_names, NAMES_BYTES_MAX);
    w.stop = stop_open(run->env, on_stop, &w);
    int64_t every_ns = args_int(run->args, "watch") * NS_PER_S;
    int64_t good_ns = clock_mono_ns(clock);
    bool is_over = false;
    while (!is_over) {
        int64_t begin_ns = clock_mono_ns(clock);
        if (show_round(&w)) {
            good_ns = begin_ns;
            run->exit = CLI_OK; // an earlier round's trouble is over
        } else {
            buf_reset(&run->out);
            arena_reset(&w.now_names);
            w.now_count = 0;
            is_over = run->is_out_closed ||
                      begin_ns - good_ns > args_int(run->args, "timeout-ms") * NS_PER_MS ||
                      client_is_connected(run->client);
        }
        is_over = stop_wait(w.stop, begin_ns + every_ns) || is_over;
    }
    if (stop_is_asked(w.stop)) {
        run->exit = CLI_OK;
    }
    stop_close(w.stop);
    mem_free(w.seen);
    mem_free(w.now);
    arena_fini(&w.seen_names);
    arena_fini(&w.now_names);
}
