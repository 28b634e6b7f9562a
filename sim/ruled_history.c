// SPDX-License-Identifier: Apache-2.0
// ruled_history.c - which rules may have held when, what became of each batch, and whether the log agrees.
#include <stdio.h>
#include <stdlib.h>

#include "core/core.h"
#include "ruled.h"

enum { ROOM_MIN = 64, VALUE_MAX = 64 };

const char *const ruled_topics[RULED_TOPICS] = {"ruled", "strict"};

struct word {
    enum ruled_topic topic;
    char letter;
    int64_t sent_ns;
    int64_t acked_ns; // INT64_MAX: not yet, or in doubt
    bool is_void;
};

struct ruled_batch {
    enum ruled_topic topic;
    enum ruled_fate fate;
    int32_t count;
    char letters[RULED_RECORDS_MAX];
    int64_t base_offset;
    int64_t sent_ns;
    int64_t answered_ns;
    int in_topic[RULED_RECORDS_MAX];
    int aside[RULED_RECORDS_MAX];
    int64_t offsets[RULED_RECORDS_MAX];
};

struct noted { // of one topic
    int64_t end;
    int64_t letters_end;
    uint64_t counts[TALLY_KINDS];
};

struct ruled_history {
    struct noted noted[RULED_TOPICS];
    struct scenario *s;
    struct word *words;
    int word_count;
    int word_room;
    struct ruled_batch *batches;
    uint64_t batch_count;
    uint64_t batch_room;
};

static void *grown(void *ptr, size_t size)
{
    void *room = realloc(ptr, size);
    if (room == NULL) {
        abort();
    }
    return room;
}

struct ruled_history *ruled_history_create(struct scenario *s)
{
    struct ruled_history *h = calloc(1, sizeof *h);
    if (h == NULL) {
        abort();
    }
    h->s = s;
    return h;
}

void ruled_history_destroy(struct ruled_history *take_history)
{
    free(take_history->words);
    free(take_history->batches);
    free(take_history);
}

// ---- rules

int ruled_word_sent(struct ruled_history *h, enum ruled_topic topic, char letter)
{
    if (h->word_count == h->word_room) {
        h->word_room = h->word_room == 0 ? ROOM_MIN : 2 * h->word_room;
        h->words = grown(h->words, (size_t)h->word_room * sizeof *h->words);
    }
    h->words[h->word_count] = (struct word){topic, letter, sim_world_now_ns(h->s->world), INT64_MAX, false};
    return h->word_count++;
}

void ruled_word_acked(struct ruled_history *h, int word)
{
    h->words[word].acked_ns = sim_world_now_ns(h->s->world);
}

void ruled_word_void(struct ruled_history *h, int word)
{
    h->words[word].is_void = true;
}

// may_hold: the rule may have been the current one at some moment from from_ns to to_ns. Before the first
// change there is none: word -1.
static bool may_hold(const struct ruled_history *h, enum ruled_topic topic, int word, int64_t from_ns,
                     int64_t to_ns)
{
    bool has_begun = word < 0 || (h->words[word].topic == topic && !h->words[word].is_void &&
                                  h->words[word].sent_ns <= to_ns);
    for (int later = word + 1; later < h->word_count && has_begun; later++) {
        has_begun = h->words[later].topic != topic || h->words[later].acked_ns >= from_ns;
    }
    return has_begun;
}

// ---- batches

uint64_t ruled_sent(struct ruled_history *h, enum ruled_topic topic, const char *letters, int32_t count)
{
    if (h->batch_count == h->batch_room) {
        h->batch_room = h->batch_room == 0 ? ROOM_MIN : 2 * h->batch_room;
        h->batches = grown(h->batches, h->batch_room * sizeof *h->batches);
    }
    struct ruled_batch *b = &h->batches[h->batch_count];
    memset(b, 0, sizeof *b);
    b->topic = topic;
    b->count = count;
    b->base_offset = -1;
    b->sent_ns = sim_world_now_ns(h->s->world);
    b->answered_ns = INT64_MAX;
    memcpy(b->letters, letters, (size_t)count);
    return h->batch_count++;
}

uint64_t ruled_count(const struct ruled_history *h)
{
    return h->batch_count;
}

void ruled_acked(struct ruled_history *h, uint64_t batch, int64_t base_offset)
{
    h->batches[batch].base_offset = base_offset;
    h->batches[batch].answered_ns = sim_world_now_ns(h->s->world);
}

void ruled_settled(struct ruled_history *h, uint64_t batch, enum ruled_fate fate)
{
    struct ruled_batch *b = &h->batches[batch];
    b->fate = fate;
    if (b->answered_ns == INT64_MAX) {
        b->answered_ns = sim_world_now_ns(h->s->world);
    }
}

// ---- the last look

void ruled_found(struct ruled_history *h, enum ruled_topic topic, bool is_letter, int64_t offset,
                 struct str value)
{
    char text[VALUE_MAX];
    char letter = 0;
    unsigned long long number = 0;
    int index = -1;
    snprintf(text, sizeof text, STR_FMT, STR_ARG(value));
    bool is_known = sscanf(text, "%c%llu/%d", &letter, &number, &index) == 3 && number < h->batch_count &&
                    index >= 0 && index < h->batches[number].count &&
                    h->batches[number].letters[index] == letter && h->batches[number].topic == topic;
    if (!is_known) {
        checker_fail(h->s->checker, "I15: offset %lld of %s%s has what nobody sent: %s", (long long)offset,
                     ruled_topics[topic], is_letter ? ".dlq" : "", text);
        return;
    }
    struct ruled_batch *b = &h->batches[number];
    if (is_letter) {
        b->aside[index]++;
    } else {
        b->in_topic[index]++;
        b->offsets[index] = offset;
    }
}

static void fail(const struct ruled_history *h, uint64_t number, const char *what)
{
    const struct ruled_batch *b = &h->batches[number];
    char places[RULED_RECORDS_MAX * 16] = "";
    for (int32_t i = 0; i < b->count; i++) {
        size_t len = strlen(places);
        snprintf(places + len, sizeof places - len, " %c:%d+%d", b->letters[i], b->in_topic[i], b->aside[i]);
    }
    checker_fail(h->s->checker, "%s: batch %llu of %s, sent at %lld, answered at %lld:%s", what,
                 (unsigned long long)number, ruled_topics[b->topic], (long long)b->sent_ns / 1000000,
                 (long long)b->answered_ns / 1000000, places);
}

// agrees: every record is where this rule would have it. A batch that was refused has a record that it
// refuses.
static bool agrees(const struct ruled_history *h, const struct ruled_batch *b, int word)
{
    char bad = word < 0 ? 0 : h->words[word].letter;
    bool has_bad = false;
    bool is_placed = true;
    for (int32_t i = 0; i < b->count; i++) {
        bool is_bad = b->letters[i] == bad;
        has_bad = has_bad || is_bad;
        is_placed = is_placed && (is_bad ? b->aside[i] == 1 : b->in_topic[i] == 1);
    }
    return b->fate == RULED_REFUSED ? has_bad : is_placed && (b->topic == RULED_ASIDE || !has_bad);
}

static void check_batch(const struct ruled_history *h, uint64_t number)
{
    const struct ruled_batch *b = &h->batches[number];
    int total = 0;
    bool is_once = true;
    bool is_at_place = true;
    for (int32_t i = 0; i < b->count; i++) {
        int times = b->in_topic[i] + b->aside[i];
        total += times;
        is_once = is_once && times == 1;
        is_at_place =
            is_at_place && (b->in_topic[i] == 0 || b->base_offset < 0 || b->offsets[i] == b->base_offset + i);
    }
    bool is_kept = b->fate == RULED_KEPT;
    bool is_gone = b->fate == RULED_REFUSED || b->fate == RULED_ABORTED;
    if (is_gone && total > 0) {
        fail(h, number, b->fate == RULED_REFUSED ? "I15: it was refused" : "I15: it was aborted");
    } else if ((is_kept || total > 0) && !is_once) {
        fail(h, number, "I15: not each record once");
    } else if (!is_at_place) {
        fail(h, number, "I15: records at other offsets than was told");
    }
    bool was_judged = is_kept || b->fate == RULED_REFUSED;
    bool has_rule = !was_judged;
    for (int word = -1; word < h->word_count && !has_rule; word++) {
        has_rule = may_hold(h, b->topic, word, b->sent_ns, b->answered_ns) && agrees(h, b, word);
    }
    if (!has_rule) {
        fail(h, number,
             b->fate == RULED_REFUSED ? "I16: refused by no rule that held"
                                      : "I16: judged by no rule that held");
    }
}

// ---- what is counted

static int64_t end_of(const struct core *core, const char *name)
{
    struct topic *topic = core_topic_find(core, str_from_c(name));
    return topic == NULL ? 0 : partition_high_watermark(topic_partition(topic, 0));
}

void ruled_note(struct scenario *s, const struct core *core)
{
    for (int t = 0; t < RULED_TOPICS; t++) {
        struct noted *noted = &s->ruled->noted[t];
        struct topic *topic = core_topic_find(core, str_from_c(ruled_topics[t]));
        *noted = (struct noted){.end = end_of(core, ruled_topics[t])};
        noted->letters_end = t == RULED_ASIDE ? end_of(core, "ruled.dlq") : 0;
        for (const struct tally *tally = topic == NULL ? NULL : topic_tally_next(topic, NULL); tally != NULL;
             tally = topic_tally_next(topic, tally)) {
            struct tally_view view;
            tally_view(tally, &view);
            noted->counts[view.kind] += view.count;
        }
    }
}

bool ruled_is_noted(const struct ruled_history *h, enum ruled_topic topic, bool is_letter, int64_t end)
{
    return end == (is_letter ? h->noted[topic].letters_end : h->noted[topic].end);
}

void ruled_counted(struct ruled_history *h, const uint64_t records[RULED_TOPICS], uint64_t letters)
{
    for (int t = 0; t < RULED_TOPICS; t++) {
        uint64_t refused = 0;
        for (uint64_t i = 0; i < h->batch_count; i++) {
            const struct ruled_batch *b = &h->batches[i];
            refused += (int)b->topic == t && b->fate == RULED_REFUSED ? (uint64_t)b->count : 0;
        }
        const uint64_t *counts = h->noted[t].counts;
        uint64_t aside = t == RULED_ASIDE ? letters : 0;
        if (counts[TALLY_PASSED] != records[t] || counts[TALLY_DEAD_LETTERED] != aside ||
            counts[TALLY_REFUSED] < refused) {
            checker_fail(h->s->checker,
                         "I22: %s has %llu records, %llu dead letters, %llu were refused; counted are %llu, "
                         "%llu, %llu",
                         ruled_topics[t], (unsigned long long)records[t], (unsigned long long)aside,
                         (unsigned long long)refused, (unsigned long long)counts[TALLY_PASSED],
                         (unsigned long long)counts[TALLY_DEAD_LETTERED],
                         (unsigned long long)counts[TALLY_REFUSED]);
        }
    }
    checker_counting(h->s->checker)->ruled_tallied++;
}

void ruled_end(struct ruled_history *h)
{
    for (uint64_t number = 0; number < h->batch_count && !checker_has_failed(h->s->checker); number++) {
        check_batch(h, number);
        struct checker_counts *counts = checker_counting(h->s->checker);
        counts->ruled += h->batches[number].fate == RULED_KEPT;
        counts->ruled_refused += h->batches[number].fate == RULED_REFUSED;
        for (int32_t i = 0; i < h->batches[number].count; i++) {
            counts->ruled_letters += (uint64_t)h->batches[number].aside[i];
        }
    }
}
