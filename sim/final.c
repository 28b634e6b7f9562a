// SPDX-License-Identifier: Apache-2.0
// final.c - when all faults have ended: everything is read once more, looked up by time, and the catalogue
// compared with what was acknowledged.
#include "catalogue.h"
#include "consumer.h"
#include "group.h"
#include "keyed.h"
#include "ruled.h"
#include "txn.h"

#define MS 1000000LL

enum { LOOKUPS = 4, PATIENCE_S = 60 };

// read_whole reads one partition from log start to its end; false after too long.
static bool read_whole(struct consumer *c, int partition)
{
    // A disk may still be stalled; of a log that rot has cut even the topic may be gone.
    int64_t patience_s = checker_is_cut(c->s->checker) ? 1 : PATIENCE_S;
    int64_t deadline_ns = sim_world_now_ns(c->s->world) + patience_s * 1000 * MS;
    for (int tries = 0; sim_world_now_ns(c->s->world) < deadline_ns; tries++) {
        if (c->client.sock == NULL && !consumer_connect(c)) {
            continue;
        }
        int64_t start = consumer_list_offset(c, partition, -2, NULL);
        int64_t end = start < 0 ? -1 : consumer_list_offset(c, partition, -1, NULL);
        if (end < 0) {
            client_drop(&c->client);
            client_sleep(&c->client, 20 * MS);
            continue;
        }
        c->position[partition] = c->position[partition] < start ? start : c->position[partition];
        if (c->position[partition] >= end && (!c->s->is_shared || tries > 20)) {
            c->log_start[partition] = start;
            c->high_watermark[partition] = end;
            return true;
        }
        if (!consumer_fetch(c, partition)) {
            client_drop(&c->client);
            client_sleep(&c->client, 20 * MS);
        }
        if (c->is_damaged[partition]) {
            return true;
        }
    }
    return false;
}

// check_time compares look-ups by time with a scan of what was just read (I14).
static void check_time(struct consumer *c, int partition)
{
    int64_t start = c->log_start[partition];
    int64_t end = c->high_watermark[partition];
    for (int i = 0; i < LOOKUPS && !checker_has_failed(c->s->checker); i++) {
        bool is_max = i == 0;
        int64_t target = INT64_MAX;
        int64_t ignored = 0;
        if (!is_max) { // the time of some record, or near it
            int64_t some = start + (int64_t)sim_rand(c->s->world, (uint64_t)(end - start) + 1);
            if (!checker_scan(c->s->checker, partition, some, 0, &ignored, &target)) {
                continue;
            }
            target += (int64_t)sim_rand(c->s->world, 5) - 2;
        }
        int64_t offset = -1;
        int64_t timestamp = -1;
        checker_scan(c->s->checker, partition, start, target, &offset, &timestamp);
        int64_t found_timestamp = -1;
        int64_t found = consumer_list_offset(c, partition, is_max ? -3 : target, &found_timestamp);
        checker_looked_up(c->s->checker);
        if (found == OFFSET_NO_ANSWER) {
            client_drop(&c->client);
            (void)consumer_connect(c);
        } else if (found != offset || found_timestamp != timestamp) {
            checker_fail(
                c->s->checker,
                "I14: partition %d: looked for time %lld (log start %lld), found offset %lld (%lld), "
                "a scan finds %lld (%lld)",
                partition, (long long)(is_max ? -3 : target), (long long)start, (long long)found,
                (long long)found_timestamp, (long long)offset, (long long)timestamp);
        }
    }
}

void final_reader_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct consumer *c = consumer_create(args->scenario, env, CONSUMERS_MAX);
    c->is_final = true;
    checker_final_begin(c->s->checker);
    for (int partition = 0; partition < PARTITIONS; partition++) {
        bool is_read = read_whole(c, partition);
        bool is_excused = c->is_damaged[partition];
        if (!is_read && !c->s->rot_happened) {
            checker_fail(c->s->checker,
                         "I19: partition %d cannot be read to its end (at %lld) after all faults ended",
                         partition, (long long)c->position[partition]);
        }
        checker_final_partition(c->s->checker, partition, c->log_start[partition],
                                c->high_watermark[partition], is_excused || !is_read);
        if (is_read && !c->s->rot_happened && topic_plan_of(partition)->kind != TOPIC_RETAINED &&
            topic_plan_of(partition)->kind != TOPIC_TXN) { // markers have timestamps, too
            check_time(c, partition);
        }
    }
    if (c->s->member_count > 0 && !c->s->rot_happened) {
        group_final(c);
    }
    if (c->s->txn_producer_count > 0 && !c->s->rot_happened && !checker_has_failed(c->s->checker)) {
        committed_final(c->s, env);
    }
    if (c->s->keyed_is_ready && !c->s->rot_happened && !checker_has_failed(c->s->checker)) {
        keyed_final(c->s, env);
    }
    if (c->s->ruled_is_ready && !c->s->rot_happened && !checker_has_failed(c->s->checker)) {
        ruled_final(c->s, env);
    }
    catalogue_check(c->s, &c->client);
    consumer_destroy(c);
    args->scenario->phase = PHASE_OVER;
}
