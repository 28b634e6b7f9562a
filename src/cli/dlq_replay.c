// SPDX-License-Identifier: Apache-2.0
// dlq_replay.c - `strom dlq replay`: dead letters are driven to the topic they were bound for, where the
// broker judges them again. A chunk of one partition is one transaction with the position behind it, so that
// each dead letter arrives exactly once, wherever the command is interrupted; what is refused again goes back
// to the end of the dead letters in the same transaction.
#include "cli/dlq.h"

#include "base/mem.h"
#include "cli/dlq_fix.h"
#include "cli/dlq_txn.h"
#include "platform/real/process.h"
#include "record/build.h"

enum {
    CHUNK_RECORDS = 500,
    CHUNK_BYTES = 512 << 10, // one larger dead letter travels alone
    CHUNK_ARENA_BYTES = 256 << 20,
    ANSWER_ARENA_BYTES = 64 << 20,
    BATCH_BYTES_MAX = 64 << 20,
    NAME_SIZE = 40,
    PROBE_MAX = 10000, // dead letters looked at for one that --set can mend
    TARGETS_MAX = 64,  // topics that dead letters of one topic are bound for
    NS_PER_S = 1000000000,
};

static const struct args_flag replay_flags[] = {
    {"rate", ARGS_INT, "N", "0", 0, 1000000000, "At most N records in a second; 0 is as fast as it goes."},
    {"count", ARGS_INT, "N", NULL, 1, INT64_MAX, "Stop after N dead letters."},
    {"set", ARGS_LIST, "PATH=EXPRESSION", NULL, 0, 0,
     "Mend values that are JSON documents: the member becomes what the CEL expression makes of `message`. "
     "May be given "
     "more than once. What cannot be mended (Avro, Protobuf, an expression that fails) stays a dead letter, "
     "and the command says so; if it can mend none, nothing is replayed."},
    {"dry-run", ARGS_SWITCH, NULL, NULL, 0, 0, "Say how many wait, replay none."},
};
static const struct args_spec replay_spec = {
    .command = "strom dlq replay",
    .names_usage = "TOPIC",
    .summary = "drive dead letters to the topic they were bound for",
    .text = "TOPIC is the governed topic, or the one that keeps its dead letters. Each dead letter that "
            "waits when the command "
            "begins is sent, with its key, value, headers and timestamp, to the partition it was bound for "
            "and judged there by "
            "the contract as it is now. What fails again stays: it goes to the end of the dead letters.\n\n"
            "Each arrives exactly once: the position moves in the transaction that carries the records. "
            "Interrupted, the "
            "command goes on where it stopped when it is given again. Of two at once for one topic, the "
            "earlier is "
            "fenced and ends with an error.",
    .examples = "  strom dlq replay orders --dry-run\n"
                "  strom dlq replay orders\n"
                "  strom dlq replay orders --rate 1000 --count 100000\n"
                "  strom dlq replay movies --set 'Title=string(message.Title)'\n",
    .flags = replay_flags,
    .flag_count = sizeof replay_flags / sizeof *replay_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_TOPIC,
    .is_remote = true,
    .is_json = true,
};

// One dead letter of the chunk, copied.
struct letter {
    int64_t offset;
    int64_t timestamp;
    struct bytes key;
    struct bytes value;
    struct bytes mended;        // the value that goes home
    struct record_header *home; // headers of the record that goes home
    int32_t home_count;
    struct record_header *back; // and of the dead letter that stays one
    int32_t back_count;
    int32_t target; // index
    int32_t partition;
    bool is_unmended; // --set cannot mend it: it stays
    bool is_returned;
};

struct target {
    struct str topic;
    struct uuid topic_id;
    int32_t partition_count; // 0: it is not there
};

struct replay {
    struct run *run;
    struct dlq dlq;
    struct log_reader reader;
    struct txn txn;
    struct arena chunk_arena;
    struct arena answer_arena;
    struct letter *letters; // CHUNK_RECORDS
    size_t count;
    size_t bytes;
    size_t limit; // letters of this chunk; fewer after a refusal that names none
    int32_t partition;
    struct dlq_fix *fix; // NULL: values go as they are
    struct target targets[TARGETS_MAX];
    int32_t target_count;
    struct buf *batches; // one for each letter at most
    struct txn_batch *out;
    size_t *first; // of each batch: index of its first letter in `order`
    size_t *order; // letters by batch
    int64_t left;  // of --count; -1 = no limit
    int64_t replayed;
    int64_t returned;          // by this command: refused, or nowhere to go
    int64_t unmended;          // of `returned`: --set cannot mend them
    struct str unmended_first; // where one was found, and why
    bool is_hopeless;          // --set can mend none: nothing was replayed
    int64_t blocked;           // offsets behind a transaction that is still open
    int64_t total;             // offsets: letters and the marks of transactions
    int64_t begin_ns;
    bool is_terminal;
    struct error failed;
};

// ---- reading a chunk

static int32_t target_find(struct replay *r, struct str topic)
{
    for (int32_t i = 0; i < r->target_count; i++) {
        if (str_equal(r->targets[i].topic, topic)) {
            return i;
        }
    }
    if (r->target_count == TARGETS_MAX) {
        return 0; // back to the dead letters
    }
    struct target *target = &r->targets[r->target_count];
    *target = (struct target){.topic = run_print(r->run, STR_FMT, STR_ARG(topic))};
    return r->target_count++;
}

static struct bytes copy(struct replay *r, struct bytes from)
{
    uint8_t *to = from.ptr == NULL ? NULL : arena_new(&r->chunk_arena, uint8_t, from.len + 1);
    if (to == NULL) {
        return (struct bytes){NULL, 0};
    }
    memcpy(to, from.ptr, from.len);
    return bytes_of(to, from.len);
}

// headers_copy fills both sets. Home go the producer's own and where it came from, of a dead letter that was
// one before the first time alone: what stands behind DEAD_LETTER_REPLAYED was added since. Back go all.
static void headers_copy(struct replay *r, const struct record *record, struct letter *letter)
{
    struct record_headers headers = record_headers_init(record);
    struct record_header header;
    bool was_one = false;
    while (record_headers_next(&headers, &header)) {
        if (str_equal(header.key, STR(DEAD_LETTER_REPLAYED))) {
            was_one = true;
            continue;
        }
        struct bytes key = copy(r, bytes_of(header.key.ptr, header.key.len));
        struct record_header copied = {{(const char *)key.ptr, key.len}, copy(r, header.value)};
        bool is_ours = str_has_prefix(header.key, STR("__rule.")) ||
                       (was_one && str_has_prefix(header.key, STR("__strom.")));
        letter->back[letter->back_count++] = copied;
        if (!is_ours) {
            letter->home[letter->home_count++] = copied;
        }
    }
}

static void letter_mend(struct replay *r, struct letter *letter)
{
    struct error e = {0};
    letter->is_unmended =
        dlq_fix_apply(r->fix, letter->value, &r->chunk_arena, &letter->mended, &e) != ERR_OK;
    if (letter->is_unmended && r->unmended_first.len == 0) {
        r->unmended_first = run_print(r->run, "partition %d offset %lld: %s", r->partition,
                                      (long long)letter->offset, e.text);
    }
}

static bool letter_take(void *arg, const struct record *record)
{
    struct replay *r = arg;
    size_t size = record->key.len + record->value.len + record->headers_raw.len;
    bool is_full = r->count == r->limit || r->left == (int64_t)r->count;
    if (is_full || (r->count > 0 && r->bytes + size > CHUNK_BYTES)) {
        return false;
    }
    struct letter *letter = &r->letters[r->count];
    struct dead_letter told;
    dead_letter_read(record, &told);
    *letter = (struct letter){.offset = record->offset, .timestamp = record->timestamp};
    letter->home = arena_new(&r->chunk_arena, struct record_header, (size_t)record->header_count + 1);
    letter->back = arena_new(&r->chunk_arena, struct record_header, (size_t)record->header_count + 1);
    char *name = arena_new(&r->chunk_arena, char, NAME_SIZE);
    if (letter->home == NULL || letter->back == NULL || name == NULL) {
        return false;
    }
    letter->key = copy(r, record->key);
    letter->value = copy(r, record->value);
    letter->mended = letter->value;
    if (r->fix != NULL) {
        letter_mend(r, letter);
    }
    headers_copy(r, record, letter);
    int len = snprintf(name, NAME_SIZE, "%d:%lld", r->partition, (long long)record->offset);
    struct record_header named = {STR(DEAD_LETTER_REPLAYED), bytes_of(name, (size_t)len)};
    letter->home[letter->home_count++] = named;
    letter->back[letter->back_count++] = named;
    letter->target = told.topic.len == 0 ? 0 : target_find(r, told.topic);
    letter->partition = told.partition < 0 ? r->partition : told.partition;
    r->count++;
    r->bytes += size;
    return true;
}

static bool targets_look_up(struct replay *r)
{
    for (int32_t i = 1; i < r->target_count; i++) {
        struct target *target = &r->targets[i];
        struct metadata_response found;
        if (target->partition_count > 0) {
            continue;
        }
        if (!run_topics(r->run, &target->topic, 1, false, &found)) {
            return false;
        }
        if (found.topics_count == 1 && found.topics->error == ERR_OK) {
            target->topic_id = found.topics->topic_id;
            target->partition_count = found.topics->partitions_count;
        }
    }
    for (size_t i = 0; i < r->count; i++) {
        struct letter *letter = &r->letters[i];
        const struct target *target = &r->targets[letter->target];
        letter->is_returned = letter->target == 0 || target->partition_count == 0 || letter->is_unmended;
        letter->partition = letter->is_returned ? r->partition : letter->partition % target->partition_count;
    }
    return true;
}

// ---- sending it

static bool is_same_place(const struct letter *a, const struct letter *b)
{
    int32_t a_target = a->is_returned ? 0 : a->target;
    int32_t b_target = b->is_returned ? 0 : b->target;
    return a_target == b_target && (a->is_returned || a->partition == b->partition);
}

static enum err batch_build(struct replay *r, size_t from, size_t to, struct txn_batch *ret, struct buf *buf,
                            struct error *e)
{
    const struct letter *first = &r->letters[r->order[from]];
    const struct target *target = &r->targets[first->is_returned ? 0 : first->target];
    struct batch_options options = batch_options_default();
    struct batch_builder builder;
    options.producer_id = r->txn.producer_id;
    options.producer_epoch = r->txn.producer_epoch;
    options.base_sequence = 0;
    options.attributes = BATCH_ATTRIBUTE_TRANSACTIONAL;
    options.bytes_max = BATCH_BYTES_MAX;
    batch_builder_init(&builder, &options);
    for (size_t i = from; i < to; i++) {
        const struct letter *letter = &r->letters[r->order[i]];
        batch_builder_append(&builder, letter->timestamp, letter->key,
                             letter->is_returned ? letter->value : letter->mended,
                             letter->is_returned ? letter->back : letter->home,
                             letter->is_returned ? letter->back_count : letter->home_count);
    }
    buf_reset(buf);
    enum err err = batch_builder_finish(&builder, buf, e);
    batch_builder_fini(&builder);
    *ret = (struct txn_batch){.topic = target->topic,
                              .topic_id = target->topic_id,
                              .partition = first->is_returned ? r->partition : first->partition,
                              .batch = buf_bytes(buf)};
    return err;
}

// batches_build makes one batch for each place that letters go to, by topic, each in the letters' order.
static enum err batches_build(struct replay *r, size_t *ret_count, struct error *e)
{
    bool *is_in = arena_new(&r->answer_arena, bool, r->count);
    size_t count = 0;
    size_t placed = 0;
    enum err err = is_in == NULL ? FAIL(e, ERR_NO_MEMORY, "%zu dead letters", r->count) : ERR_OK;
    for (int32_t t = 0; t < r->target_count && err == ERR_OK; t++) {
        for (size_t i = 0; i < r->count && err == ERR_OK; i++) {
            const struct letter *letter = &r->letters[i];
            if (is_in[i] || (letter->is_returned ? 0 : letter->target) != t) {
                continue;
            }
            size_t from = placed;
            for (size_t k = i; k < r->count; k++) {
                if (!is_in[k] && is_same_place(letter, &r->letters[k])) {
                    is_in[k] = true;
                    r->order[placed++] = k;
                }
            }
            r->first[count] = from;
            err = batch_build(r, from, placed, &r->out[count], &r->batches[count], e);
            count++;
        }
    }
    r->first[count] = placed;
    *ret_count = count;
    return err;
}

// refusals_take marks what the broker names. *ret_is_all: every batch was taken. false: one was refused as a
// whole.
static bool refusals_take(struct replay *r, size_t count, bool *ret_is_all, struct error *e)
{
    bool is_named = true;
    *ret_is_all = true;
    for (size_t b = 0; b < count; b++) {
        const struct txn_batch *batch = &r->out[b];
        size_t size = r->first[b + 1] - r->first[b];
        if (batch->err == ERR_OK) {
            continue;
        }
        *ret_is_all = false;
        e->code = batch->err;
        snprintf(e->text, sizeof e->text, STR_FMT " partition %d" STR_FMT STR_FMT, STR_ARG(batch->topic),
                 batch->partition, batch->message.len > 0 ? 2 : 0, ": ", STR_ARG(batch->message));
        bool is_one = false;
        bool has_news = false;
        for (int32_t i = 0; i < batch->record_error_count; i++) {
            int32_t index = batch->record_errors[i].batch_index;
            if (index >= 0 && (size_t)index < size) {
                struct letter *letter = &r->letters[r->order[r->first[b] + (size_t)index]];
                is_one = is_one || !letter->is_returned;
                letter->is_returned = true;
            }
        }
        bool is_final = batch->is_barred || (size == 1 && !err_is_retriable(batch->err));
        for (size_t i = 0; !is_one && is_final && i < size; i++) {
            struct letter *letter = &r->letters[r->order[r->first[b] + i]];
            has_news = has_news || !letter->is_returned;
            letter->is_returned = true;
        }
        is_named = is_named && (is_one || has_news);
    }
    return is_named;
}

// chunk_try sends the chunk in one transaction. *ret_is_done: it is committed; else what was refused is
// marked, or the limit is lower, and it is worth another try.
static enum err chunk_try(struct replay *r, int64_t next, bool *ret_is_done, struct error *e)
{
    size_t count;
    bool is_all = false;
    *ret_is_done = false;
    arena_reset(&r->answer_arena);
    enum err err = batches_build(r, &count, e);
    err = err == ERR_OK && count > 0 ? txn_produce(&r->txn, r->out, count, e) : err;
    if (err != ERR_OK) {
        return err;
    }
    bool is_named = refusals_take(r, count, &is_all, e);
    if (is_all) {
        err = txn_position(&r->txn, r->dlq.group, r->dlq.topic, r->partition, next, e);
        err = err == ERR_OK ? txn_end(&r->txn, true, e) : err;
        *ret_is_done = err == ERR_OK;
        return err;
    }
    if (!is_named && err_is_retriable(e->code)) {
        return e->code;
    }
    if (!is_named && r->count == 1) {
        return e->code; // neither its topic nor the dead letters take it
    }
    r->limit = is_named ? r->limit : r->count / 2;
    err = txn_end(&r->txn, false, e);
    return err == ERR_OK ? txn_begin(&r->txn, e) : err;
}

static void progress_show(const struct replay *r, bool is_end)
{
    if (r->is_terminal && !r->run->is_json) {
        (void)fprintf(stderr, "\r%lld of some %lld dead letters replayed%s", (long long)r->replayed,
                      (long long)r->total, is_end ? "\n" : "");
    }
}

// rate_keep waits until no more than --rate records a second were sent.
static void rate_keep(struct replay *r)
{
    int64_t rate = args_int(r->run->args, "rate");
    if (rate > 0) {
        int64_t due_ns =
            r->begin_ns + (int64_t)((double)(r->replayed + r->returned) / (double)rate * NS_PER_S);
        clock_sleep_until(r->run->env->clock, due_ns);
    }
}

// A chunk goes at once: it is no more than a second's share.
static size_t chunk_limit(const struct replay *r)
{
    int64_t rate = args_int(r->run->args, "rate");
    return rate > 0 && rate < CHUNK_RECORDS ? (size_t)rate : CHUNK_RECORDS;
}

// chunk_send takes letters up to *next; it tries until what is not refused is committed.
static enum err chunk_send(struct replay *r, struct dlq_partition *part, struct error *e)
{
    enum err err = ERR_OK;
    bool is_done = false;
    r->limit = chunk_limit(r);
    while (err == ERR_OK && !is_done) {
        size_t limit = r->limit;
        int64_t next = part->position;
        arena_reset(&r->chunk_arena);
        r->count = r->bytes = 0;
        err = log_reader_records(&r->reader, part->partition, part->position, part->end, letter_take, r,
                                 &next, e);
        if (err == ERR_OK && !targets_look_up(r)) {
            err = ERR_CLOSED; // it was said why
        }
        if (err == ERR_OK && next == part->position) {
            return ERR_WOULD_BLOCK; // what follows is in an open transaction
        }
        while (err == ERR_OK && !is_done && r->limit == limit) {
            err = chunk_try(r, next, &is_done, e);
        }
        if (is_done) {
            part->position = next;
        }
    }
    return err;
}

static void chunk_count(struct replay *r)
{
    for (size_t i = 0; i < r->count; i++) {
        r->letters[i].is_returned ? r->returned++ : r->replayed++;
        r->unmended += r->letters[i].is_unmended;
    }
    r->left -= r->left > 0 ? (int64_t)r->count : 0;
}

static enum err partition_replay(struct replay *r, struct dlq_partition *part, struct error *e)
{
    enum err err = ERR_OK;
    r->partition = part->partition;
    while (err == ERR_OK && part->position < part->end && r->left != 0) {
        rate_keep(r);
        err = chunk_send(r, part, e);
        if (err == ERR_OK) {
            chunk_count(r);
            progress_show(r, false);
            err = part->position < part->end && r->left != 0 ? txn_begin(&r->txn, e) : ERR_OK;
        }
    }
    if (err == ERR_WOULD_BLOCK) {
        r->blocked += part->end - part->position;
        return ERR_OK;
    }
    return err;
}

// ---- the command

static bool again_take(void *arg, const struct record *record)
{
    struct dead_letter letter;
    dead_letter_read(record, &letter);
    *(int64_t *)arg += letter.replayed.ptr != NULL ? 1 : 0;
    return true;
}

// again_count counts what the broker set aside once more: dead letters behind the end that were dead letters
// before.
static enum err again_count(struct replay *r, int64_t *ret_again, struct error *e)
{
    struct dlq now;
    enum err err = ERR_OK;
    *ret_again = 0;
    if (!dlq_topic_open(r->run, r->dlq.topic, r->dlq.what, &now)) {
        return ERR_CLOSED;
    }
    for (size_t i = 0; i < now.count && i < r->dlq.count && err == ERR_OK; i++) {
        int64_t next;
        err = log_reader_records(&r->reader, now.partitions[i].partition, r->dlq.partitions[i].end,
                                 now.partitions[i].end, again_take, ret_again, &next, e);
    }
    return err;
}

static void result_show(struct replay *r, int64_t again)
{
    struct run *run = r->run;
    int64_t sent = r->replayed + r->returned;
    if (sent > 0 && r->unmended == sent) {
        run->exit = CLI_ERROR; // more waited than were looked at before, and not one could be mended
    }
    if (run->is_json) {
        json_object_begin(&run->json);
        json_pair_str(&run->json, "dead_letters", r->dlq.topic);
        json_pair_i64(&run->json, "replayed", sent);
        json_pair_i64(&run->json, "accepted", sent - again);
        json_pair_i64(&run->json, "set_aside_again", again);
        json_pair_i64(&run->json, "not_mended", r->unmended);
        json_pair_i64(&run->json, "waiting_behind_transaction", r->blocked);
        json_object_end(&run->json);
        buf_u8(&run->out, '\n');
        return;
    }
    if (sent == 0 && r->blocked == 0) {
        buf_printf(&run->out, "No dead letters of " STR_FMT " wait.\n", STR_ARG(r->dlq.topic));
        return;
    }
    buf_printf(&run->out, "%lld dead letters replayed: %lld accepted, %lld set aside again.\n",
               (long long)sent, (long long)(sent - again), (long long)again);
    if (r->unmended > 0) {
        buf_printf(&run->out, "%lld of them cannot be mended and %s; the first: ", (long long)r->unmended,
                   r->unmended == 1 ? "stays" : "stay");
        text_show(r->unmended_first, &run->out);
        buf_u8(&run->out, '\n');
    }
    if (r->blocked > 0) {
        buf_printf(&run->out,
                   "%lld wait behind a transaction that is still open; replay again when it has ended.\n",
                   (long long)r->blocked);
    }
}

struct probe {
    struct replay *r;
    int64_t seen;
    bool is_mendable;
};

static bool probe_take(void *arg, const struct record *record)
{
    struct probe *probe = arg;
    struct replay *r = probe->r;
    struct bytes mended;
    struct error e = {0};
    arena_reset(&r->chunk_arena);
    probe->seen++;
    probe->is_mendable = dlq_fix_apply(r->fix, record->value, &r->chunk_arena, &mended, &e) == ERR_OK;
    if (!probe->is_mendable && r->unmended_first.len == 0) {
        r->unmended_first = run_print(r->run, "partition %d offset %lld: %s", r->partition,
                                      (long long)record->offset, e.text);
    }
    return !probe->is_mendable && probe->seen < PROBE_MAX;
}

// fix_check looks for a dead letter that --set can mend. If there is none - the values are no JSON, or it is
// mistaken - a replay would only move them all to the end, where they wait again.
static enum err fix_check(struct replay *r, struct error *e)
{
    struct probe probe = {.r = r};
    enum err err = ERR_OK;
    bool goes_on = true;
    for (size_t i = 0; i < r->dlq.count && err == ERR_OK && goes_on; i++) {
        const struct dlq_partition *part = &r->dlq.partitions[i];
        int64_t next;
        r->partition = part->partition;
        err = part->position == part->end ? ERR_OK
                                          : log_reader_records(&r->reader, part->partition, part->position,
                                                               part->end, probe_take, &probe, &next, e);
        goes_on = !probe.is_mendable && probe.seen < PROBE_MAX;
    }
    r->is_hopeless = err == ERR_OK && goes_on && probe.seen > 0;
    if (r->is_hopeless) {
        err = FAIL(e, ERR_INVALID_RECORD, "--set can mend none of the %lld that wait; the first: " STR_FMT,
                   (long long)probe.seen, STR_ARG(r->unmended_first));
    }
    r->unmended_first.len = 0;
    return err;
}

static enum err replay_all(struct replay *r, struct error *e)
{
    int64_t again = 0;
    enum err err = ERR_OK;
    bool has_begun = false;
    for (size_t i = 0; i < r->dlq.count && err == ERR_OK; i++) {
        struct dlq_partition *part = &r->dlq.partitions[i];
        if (part->position < part->end && r->left != 0) {
            err = has_begun ? txn_begin(&r->txn, e) : ERR_OK;
            err = err == ERR_OK ? partition_replay(r, part, e) : err;
            has_begun = true;
        }
    }
    progress_show(r, true);
    err = err == ERR_OK ? again_count(r, &again, e) : err;
    if (err == ERR_OK) {
        result_show(r, again);
    }
    return err;
}

static bool replay_begin(struct replay *r, struct error *e)
{
    struct run *run = r->run;
    r->txn = (struct txn){.run = run, .id = r->dlq.group, .arena = &r->answer_arena};
    r->targets[0] = (struct target){r->dlq.topic, r->dlq.topic_id, (int32_t)r->dlq.count};
    r->target_count = 1;
    r->reader.topic = r->dlq.topic;
    r->reader.topic_id = r->dlq.topic_id;
    r->left = args_given(run->args, "count") ? args_int(run->args, "count") : -1;
    r->begin_ns = clock_mono_ns(run->env->clock);
    r->is_terminal = process_is_tty(PROCESS_STDERR);
    enum err err = args_given(run->args, "dry-run") ? ERR_OK : txn_begin(&r->txn, e);
    if (err != ERR_OK) {
        run_fail(run, r->dlq.what, err, e, NULL);
        return false;
    }
    if (!dlq_positions(&r->dlq)) { // final now: whoever replayed before is fenced
        return false;
    }
    for (size_t i = 0; i < r->dlq.count; i++) {
        r->total += r->dlq.partitions[i].end - r->dlq.partitions[i].position;
    }
    return true;
}

static void waiting_show(struct replay *r)
{
    struct run *run = r->run;
    int64_t kept;
    int64_t waiting;
    if (!dlq_count(&r->dlq, &kept, &waiting)) {
        return;
    }
    if (run->is_json) {
        json_object_begin(&run->json);
        json_pair_str(&run->json, "dead_letters", r->dlq.topic);
        json_pair_i64(&run->json, "waiting", waiting);
        json_object_end(&run->json);
        buf_u8(&run->out, '\n');
    } else {
        buf_printf(&run->out, "%lld dead letters of " STR_FMT " wait. Nothing was replayed.\n",
                   (long long)waiting, STR_ARG(r->dlq.topic));
    }
}

static void replay(struct replay *r)
{
    struct run *run = r->run;
    struct error e = {0};
    if (!replay_begin(r, &e)) {
        return;
    }
    if (args_given(run->args, "dry-run")) {
        waiting_show(r);
        return;
    }
    enum err err = r->fix == NULL ? ERR_OK : fix_check(r, &e);
    err = err == ERR_OK ? replay_all(r, &e) : err;
    if (r->is_hopeless) {
        run_fail(run, r->dlq.what, err, &e,
                 "nothing was replayed. --set mends values that are JSON; without it they are judged again "
                 "as they are");
    } else if (err != ERR_OK && err != ERR_CLOSED) {
        run_fail(run, r->dlq.what, err, &e,
                 err == ERR_PRODUCER_FENCED || err == ERR_INVALID_PRODUCER_EPOCH
                     ? "another replay of this topic has begun: let it finish"
                     : "what was replayed is safe; the same command goes on where this one stopped");
    }
}

static void replay_init(struct replay *r, struct run *run)
{
    *r = (struct replay){.run = run, .limit = CHUNK_RECORDS};
    arena_init(&r->chunk_arena, CHUNK_ARENA_BYTES);
    arena_init(&r->answer_arena, ANSWER_ARENA_BYTES);
    r->letters = mem_array(CHUNK_RECORDS, sizeof *r->letters);
    r->order = mem_array(CHUNK_RECORDS, sizeof *r->order);
    r->first = mem_array(CHUNK_RECORDS + 1, sizeof *r->first);
    r->out = mem_array(CHUNK_RECORDS, sizeof *r->out);
    r->batches = mem_array(CHUNK_RECORDS, sizeof *r->batches);
    for (size_t i = 0; i < CHUNK_RECORDS; i++) {
        buf_init(&r->batches[i], BATCH_BYTES_MAX);
    }
    log_reader_init(&r->reader, run, (struct str){NULL, 0}, (struct uuid){0});
}

static void replay_fini(struct replay *r)
{
    log_reader_fini(&r->reader);
    dlq_fix_destroy(r->fix);
    for (size_t i = 0; i < CHUNK_RECORDS; i++) {
        buf_fini(&r->batches[i]);
    }
    mem_free(r->batches);
    mem_free(r->out);
    mem_free(r->first);
    mem_free(r->order);
    mem_free(r->letters);
    arena_fini(&r->answer_arena);
    arena_fini(&r->chunk_arena);
}

static int replay_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &replay_spec, argc, argv)) {
        struct replay r;
        replay_init(&r, &run);
        if (dlq_fix_create(&run, &r.fix) && run_connect(&run) &&
            dlq_open(&run, run.args->names[0], "replay the dead letters of", &r.dlq)) {
            replay(&r);
        }
        replay_fini(&r);
    }
    return run_finish(&run);
}

const struct cli_command dlq_replay_command = {.name = "replay", .spec = &replay_spec, .run = replay_run};
