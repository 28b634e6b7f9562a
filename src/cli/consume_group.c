// SPDX-License-Identifier: Apache-2.0
// consume_group.c - `strom consume --group`: join, read what is assigned, commit what was written out, join
// again when the group changes, leave. Invariant: no offset is committed before standard output took the
// record.
#include "cli/consume.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cli/membership.h"
#include "cli/stop.h"

enum {
    JOIN_ARENA_BYTES = 640 << 20,
    IDLE_MS = 200,
    RETRY_MS = 100,
    COMMIT_LAST_MS = 5000,
    NS_PER_MS = 1000000
};

struct reading {
    struct consume *consume;
    struct run *run;
    struct membership *member;
    struct stop *stop;
    struct fetcher fetcher;
    struct fetch_part *parts; // as assigned
    int64_t *committed;       // of each part, what was committed last
    size_t part_count;
    bool is_assigned;          // parts are those of the membership
    struct arena arena;        // of one assignment
    struct arena commit_arena; // of one commit
    int64_t commit_ns;         // when the next one is due
};

// ---- commits

static bool commit_is_due(const struct reading *r)
{
    return clock_mono_ns(r->run->env->clock) >= r->commit_ns;
}

// goes_away says of an error that the same may work in a moment.
static bool goes_away(enum err err)
{
    return err == ERR_NETWORK || err == ERR_COORDINATOR_LOADING || err == ERR_COORDINATOR_NOT_AVAILABLE ||
           err == ERR_NOT_COORDINATOR || err == ERR_UNSTABLE_OFFSET_COMMIT;
}

static enum err commit_once(struct reading *r, struct error *e)
{
    size_t count = 0;
    arena_reset(&r->commit_arena);
    struct group_offset *items = arena_new(&r->commit_arena, struct group_offset, r->part_count + 1);
    for (size_t i = 0; items != NULL && i < r->part_count; i++) {
        if (r->parts[i].written != r->committed[i]) {
            items[count++] = (struct group_offset){.topic = r->parts[i].topic,
                                                   .partition = r->parts[i].partition,
                                                   .committed = r->parts[i].written};
        }
    }
    r->commit_ns =
        clock_mono_ns(r->run->env->clock) + args_int(r->run->args, "commit-ms") * (int64_t)NS_PER_MS;
    enum err err = membership_commit(r->member, items, count, &r->commit_arena, e);
    for (size_t i = 0; i < r->part_count && err == ERR_OK; i++) {
        r->committed[i] = r->parts[i].written;
    }
    return err;
}

static void commit_tell(enum err err, const struct error *e)
{
    if (err != ERR_OK && err != ERR_REBALANCE_IN_PROGRESS) {
        run_note("strom: cannot commit: %s", e->text[0] != '\0' ? e->text : err_text(err));
    }
}

// commit sends what was written out since the last one. A commit that fails is tried again when the next is
// due.
static void commit(struct reading *r)
{
    struct error e = {0};
    enum err err = commit_once(r, &e);
    if (!goes_away(err)) {
        commit_tell(err, &e);
    }
}

// commit_last is the last one of a membership: it is worth some tries, because the records come again to
// whoever reads the partitions next if it fails.
static void commit_last(struct reading *r)
{
    struct clock *clock = r->run->env->clock;
    int64_t deadline_ns = clock_mono_ns(clock) + (int64_t)COMMIT_LAST_MS * NS_PER_MS;
    struct error e = {0};
    enum err err = commit_once(r, &e);
    while (goes_away(err) && clock_mono_ns(clock) < deadline_ns) {
        clock_sleep_until(clock, clock_mono_ns(clock) + (int64_t)RETRY_MS * NS_PER_MS);
        e = (struct error){0};
        err = commit_once(r, &e);
    }
    commit_tell(err, &e);
}

// ---- assignment

static const struct metadata_response_topic *topic_find(const struct metadata_response *found,
                                                        struct str name)
{
    for (int32_t i = 0; i < found->topics_count; i++) {
        if (str_equal(found->topics[i].name, name) && found->topics[i].error == ERR_OK) {
            return &found->topics[i];
        }
    }
    return NULL;
}

static int compare_parts(const void *a, const void *b)
{
    const struct fetch_part *left = a;
    const struct fetch_part *right = b;
    int order = str_compare(left->topic, right->topic);
    return order != 0 ? order : (left->partition > right->partition) - (left->partition < right->partition);
}

static void parts_free(struct reading *r)
{
    mem_free(r->parts);
    mem_free(r->committed);
    r->parts = NULL;
    r->committed = NULL;
    r->part_count = 0;
    r->is_assigned = false;
    fetcher_assign(&r->fetcher, NULL, 0);
}

// topic_take adds the partitions of one topic. How many a leader assigns is its own decision: what is not
// there is left out, and there is no room for more than there is.
static void topic_take(struct reading *r, const struct topic_partitions *in, size_t room)
{
    const struct metadata_response_topic *topic = topic_find(&r->consume->found, in->topic);
    size_t unknown = 0;
    for (size_t p = 0; p < in->count; p++) {
        bool is_there =
            topic != NULL && in->partitions[p] >= 0 && in->partitions[p] < topic->partitions_count;
        if (is_there && r->part_count < room) {
            r->parts[r->part_count++] = (struct fetch_part){
                .topic = topic->name, .topic_id = topic->topic_id, .partition = in->partitions[p]};
        } else {
            unknown++;
        }
    }
    if (unknown > 0) {
        run_note("strom: the group's leader assigned %zu partition%s of " STR_FMT " that %s not there",
                 unknown, unknown == 1 ? "" : "s", STR_ARG(in->topic), unknown == 1 ? "is" : "are");
    }
}

// parts_take turns an assignment into partitions to read, each once.
static void parts_take(struct reading *r, const struct topic_partitions *topics, size_t topic_count)
{
    size_t room = 0;
    for (int32_t t = 0; t < r->consume->found.topics_count; t++) {
        room += (size_t)r->consume->found.topics[t].partitions_count;
    }
    r->parts = mem_array(room + 1, sizeof *r->parts);
    r->committed = mem_array(room + 1, sizeof *r->committed);
    for (size_t t = 0; t < topic_count; t++) {
        topic_take(r, &topics[t], room);
    }
    if (r->part_count > 1) {
        qsort(r->parts, r->part_count, sizeof *r->parts, compare_parts);
    }
    size_t kept = 0;
    for (size_t i = 0; i < r->part_count; i++) {
        if (kept == 0 || compare_parts(&r->parts[kept - 1], &r->parts[i]) != 0) {
            r->parts[kept++] = r->parts[i];
        }
    }
    r->part_count = kept;
}

static int64_t committed_of(const struct group_offsets *offsets, const struct fetch_part *part)
{
    for (size_t i = 0; i < offsets->count; i++) {
        if (offsets->items[i].partition == part->partition &&
            str_equal(offsets->items[i].topic, part->topic)) {
            return offsets->items[i].committed;
        }
    }
    return -1;
}

// topic_begin sets where the partitions of one topic begin: at --offset, or where the group left off.
static bool topic_begin(struct reading *r, size_t from, size_t count, const struct group_offsets *offsets)
{
    struct consume *c = r->consume;
    int32_t *partitions = run_room(r->run, count, sizeof *partitions);
    int64_t *starts = run_room(r->run, count, sizeof *starts);
    struct fetch_part *parts = r->parts + from;
    if (partitions == NULL || starts == NULL ||
        !where_begin(r->run, &c->where, parts, count, c->is_exiting, c->what)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        partitions[i] = parts[i].partition;
    }
    if (!run_offsets(r->run, parts->topic, partitions, count, OFFSETS_START, starts)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t committed = committed_of(offsets, &parts[i]);
        bool is_there = committed >= starts[i] && committed <= parts[i].end;
        if (committed >= 0 && !is_there) {
            run_note("strom: " STR_FMT
                     " partition %d: %lld is committed, but there are offsets %lld to %lld: "
                     "beginning at %lld",
                     STR_ARG(parts[i].topic), parts[i].partition, (long long)committed, (long long)starts[i],
                     (long long)parts[i].end,
                     (long long)(committed < starts[i] && c->where.kind == WHERE_START ? starts[i]
                                                                                       : parts[i].next));
        } else if (committed >= 0) {
            parts[i].next = committed;
        }
        parts[i].written = parts[i].next;
        r->committed[from + i] = committed;
        parts[i].is_done = c->is_exiting && parts[i].next >= parts[i].end;
    }
    return true;
}

static bool parts_begin(struct reading *r, const struct group_offsets *offsets)
{
    for (size_t from = 0; from < r->part_count;) {
        size_t count = 1;
        while (from + count < r->part_count &&
               str_equal(r->parts[from + count].topic, r->parts[from].topic)) {
            count++;
        }
        if (!topic_begin(r, from, count, offsets)) {
            return false;
        }
        from += count;
    }
    return true;
}

static void assignment_tell(struct reading *r)
{
    if (!args_given(r->run->args, "verbose")) {
        return;
    }
    run_note("strom: the group gives %zu partition%s%s", r->part_count, r->part_count == 1 ? "" : "s",
             r->part_count == 0 ? "" : ":");
    for (size_t i = 0; i < r->part_count; i++) {
        run_note("  " STR_FMT " partition %d from offset %lld", STR_ARG(r->parts[i].topic),
                 r->parts[i].partition, (long long)r->parts[i].next);
    }
}

// join_fail says why there is no membership. false ends the command.
static bool join_fail(struct reading *r, enum err err, const struct error *e)
{
    if (goes_away(err)) {
        return fetcher_trouble(&r->fetcher, err, e);
    }
    if (err != ERR_STOPPING) {
        struct str group = args_text(r->run->args, "group");
        run_fail(r->run, run_print(r->run, "cannot read in group " STR_FMT, STR_ARG(group)).ptr, err, e,
                 membership_hint(err));
    }
    return false;
}

// join enters the group and readies what it assigns. false ends the command.
static bool join(struct reading *r)
{
    struct error e = {0};
    struct topic_partitions *topics;
    size_t topic_count;
    struct group_offsets offsets;
    parts_free(r);
    // A topic may have grown since it was looked up.
    struct client *client = r->run->client;
    enum err err = client_is_connected(client) ? ERR_OK : client_connect(client, &e);
    if (err != ERR_OK) {
        return join_fail(r, err, &e);
    }
    r->fetcher.progress_ns = clock_mono_ns(r->run->env->clock);
    err = membership_join(r->member, &r->arena, &topics, &topic_count, &e);
    err = err == ERR_OK ? membership_committed(r->member, &r->arena, &offsets, &e) : err;
    if (err != ERR_OK) {
        return join_fail(r, err, &e);
    }
    bool is_ready =
        run_topics(r->run, r->run->args->names, r->run->args->name_count, false, &r->consume->found);
    if (is_ready) {
        parts_take(r, topics, topic_count);
        is_ready = parts_begin(r, &offsets);
    }
    if (!is_ready && client_is_connected(client)) {
        return false;
    }
    if (!is_ready) {
        r->run->exit = CLI_OK; // the connection broke: what was said of it may pass
        return fetcher_trouble(&r->fetcher, ERR_NETWORK, &e);
    }
    r->is_assigned = true;
    r->fetcher.progress_ns = clock_mono_ns(r->run->env->clock);
    r->fetcher.is_trouble_told = false;
    fetcher_assign(&r->fetcher, r->parts, r->part_count);
    assignment_tell(r);
    return true;
}

// ---- reading

static void read_on(struct reading *r)
{
    struct clock *clock = r->run->env->clock;
    bool is_going = true;
    while (is_going && !stop_is_asked(r->stop)) {
        if (!membership_poll(r->member) || !r->is_assigned) {
            if (membership_is_in(r->member)) {
                commit_last(r);
            }
            is_going = join(r);
        } else if (r->fetcher.is_over || (r->consume->is_exiting && fetcher_is_finished(&r->fetcher))) {
            is_going = false;
        } else if (r->part_count == 0) {
            (void)stop_wait(r->stop, clock_mono_ns(clock) + (int64_t)IDLE_MS * NS_PER_MS);
        } else {
            is_going = fetcher_round(&r->fetcher);
            if (commit_is_due(r) && !r->fetcher.is_over) {
                commit(r);
            }
        }
    }
}

static void on_stop(void *arg)
{
    membership_stop(arg);
}

void consume_in_group(struct consume *c)
{
    struct run *run = c->run;
    const struct args *args = run->args;
    struct reading r = {.consume = c, .run = run};
    const struct membership_options options = {.group = args_text(args, "group"),
                                               .instance_id = args_text(args, "instance-id"),
                                               .topics = args->names,
                                               .topic_count = args->name_count,
                                               .session_timeout_ms =
                                                   (int32_t)args_int(args, "session-timeout-ms"),
                                               .poll_max_ms = (int32_t)args_int(args, "max-poll-ms")};
    arena_init(&r.arena, JOIN_ARENA_BYTES);
    arena_init(&r.commit_arena, JOIN_ARENA_BYTES);
    consume_fetcher_init(c, &r.fetcher);
    r.member = membership_create(run, &options);
    r.stop = stop_open(run->env, on_stop, r.member);
    read_on(&r);
    if (membership_is_in(r.member)) {
        commit_last(&r);
    }
    membership_leave(r.member);
    stop_close(r.stop);
    membership_destroy(r.member);
    parts_free(&r);
    fetcher_fini(&r.fetcher);
    arena_fini(&r.arena);
    arena_fini(&r.commit_arena);
}
