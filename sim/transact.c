// SPDX-License-Identifier: Apache-2.0
// transact.c - a producer with a transactional id: it begins, writes to both partitions, commits an offset of
// its input with them, ends. It crashes, sleeps past its timeout, is fenced by a twin, and tries what its
// former epochs must no longer do. What is not answered it tries again where the protocol may (KIP-890); in
// the first protocol a late retry could hit the next transaction (KAFKA-17754), so it takes a new epoch
// instead.
#include "base/mem.h"
#include "txn.h"

enum { BATCHES_MAX = 5, RECORDS_MAX = 4, TRIES = 12, MISFORTUNE_PERMILLE = 25 };
#define MS 1000000LL

enum fate { FATE_DONE, FATE_DOUBT, FATE_REFUSED };

static struct sim_world *world(const struct transactor *t)
{
    return t->s->world;
}

static void nap(struct transactor *t, int64_t ms)
{
    client_sleep(&t->client, ms * MS);
}

static bool is_connected(struct transactor *t)
{
    const char *address = t->s->brokers[t->s->txn_broker].address;
    if (t->client.sock != NULL || client_connect(&t->client, address, BROKER_PORT, 1000 * MS)) {
        return true;
    }
    nap(t, 1 + (int64_t)sim_rand(world(t), 80));
    return false;
}

static bool is_passing(enum err err)
{
    return err_is_retriable(err) || err == ERR_CLOSED || err == ERR_STORAGE || err == ERR_IO ||
           err == ERR_READ_ONLY;
}

// refused: a definite error. Where nothing is wrong, there must be none.
static enum fate refused(struct transactor *t, enum err err, const char *what)
{
    scenario_say(t->s, "transactor %d transaction %llu: %s: %s", t->index, (unsigned long long)t->txn, what,
                 err_name(err));
    if (!t->s->has_twins && (t->txn == 0 || !txn_is_due(t->history, t->txn))) {
        scenario_check_calm(t->s, what);
    }
    t->must_init = true;
    t->is_fenced = true;
    return FATE_REFUSED;
}

// doubt: the call may have been heard.
static void doubt(struct transactor *t, enum err err, const char *what)
{
    if (err == ERR_CLOSED) {
        scenario_check_calm(t->s, what);
    }
    nap(t, 1 + (int64_t)sim_rand(world(t), 30));
}

// ---- a transaction

static enum fate produce(struct transactor *t, const struct txn_batch *batch)
{
    int64_t offset = -1;
    bool has_doubt = false;
    for (int tries = 0; tries < TRIES && t->s->phase == PHASE_CHAOS; tries++) {
        if (!is_connected(t)) {
            continue;
        }
        enum err err = txn_call_produce(t, batch, &offset);
        if (err == ERR_OK) {
            checker_acked(t->s->checker, batch->partition, TXN_CHECKER_FIRST + t->index, batch->number,
                          (uint64_t)batch->count, offset);
            txn_record_acked(t->history, t->txn, batch->partition, offset);
            return FATE_DONE;
        }
        if (!is_passing(err)) {
            if (!has_doubt) {
                checker_refused(t->s->checker, batch->partition, TXN_CHECKER_FIRST + t->index, batch->number,
                                (uint64_t)batch->count);
            }
            return refused(t, err, "Produce");
        }
        has_doubt = true;
        doubt(t, err, "Produce in a transaction");
    }
    t->must_init = true;
    return FATE_DOUBT;
}

// once: of the first protocol a call that is not answered must not be repeated.
static enum fate once(struct transactor *t, enum err err, const char *what)
{
    if (err == ERR_OK) {
        return FATE_DONE;
    }
    if (!is_passing(err)) {
        return refused(t, err, what);
    }
    doubt(t, err, what);
    t->must_init = true;
    return FATE_DOUBT;
}

static enum fate write_batch(struct transactor *t)
{
    int index = (int)sim_rand(world(t), TXN_PARTITIONS);
    int partition = txn_first_partition() + index;
    if (!t->is_second && !t->is_added[index]) {
        enum err err = is_connected(t) ? txn_call_add(t, t->producer_id, t->epoch, partition) : ERR_CLOSED;
        enum fate fate = once(t, err, "AddPartitionsToTxn");
        if (fate != FATE_DONE) {
            return fate;
        }
        t->is_added[index] = true;
    }
    struct txn_batch batch;
    int32_t count = 1 + (int32_t)sim_rand(world(t), RECORDS_MAX);
    txn_batch_build(t, partition, count, t->producer_id, t->epoch, t->next_sequence[index], &batch);
    enum fate fate = produce(t, &batch);
    t->next_sequence[index] += count;
    buf_fini(&batch.bytes);
    return fate;
}

static enum fate write_offsets(struct transactor *t)
{
    if (!t->is_second) {
        enum fate fate = once(t, is_connected(t) ? txn_call_add_offsets(t) : ERR_CLOSED, "AddOffsetsToTxn");
        if (fate != FATE_DONE) {
            return fate;
        }
    }
    enum err err =
        is_connected(t) ? txn_call_offsets(t, t->producer_id, t->epoch, (int64_t)t->txn) : ERR_CLOSED;
    enum fate fate = once(t, err, "TxnOffsetCommit");
    if (fate == FATE_DONE) {
        txn_offsets_acked(t->history, t->txn);
    }
    return fate;
}

// haunt: an epoch that is over asks for something while a transaction is open. All of it is refused (I8), and
// does not touch the transaction.
static void haunt(struct transactor *t)
{
    struct txn_past past = t->past;
    enum err err = ERR_CLOSED;
    const char *what = "EndTxn";
    int partition = txn_first_partition() + (int)sim_rand(world(t), TXN_PARTITIONS);
    if (!past.is_there || !is_connected(t)) {
        return;
    }
    switch (sim_rand(world(t), t->is_second ? 5 : 6)) {
    case 0:
    case 1:
    case 2:
        err = txn_call_end(t, past.producer_id, past.epoch, sim_chance(world(t), 500), false);
        break;
    case 3:
        what = "TxnOffsetCommit";
        err = txn_call_offsets(t, past.producer_id, past.epoch, TXN_STALE_OFFSET);
        break;
    case 4: {
        what = "Produce";
        int64_t offset = -1;
        struct txn_batch batch;
        txn_batch_build(t, partition, 1, past.producer_id, past.epoch, 0, &batch);
        err = txn_call_produce(t, &batch, &offset);
        if (err != ERR_OK && !is_passing(err)) {
            checker_refused(t->s->checker, partition, TXN_CHECKER_FIRST + t->index, batch.number, 1);
        }
        buf_fini(&batch.bytes);
        break;
    }
    default:
        what = "AddPartitionsToTxn";
        err = txn_call_add(t, past.producer_id, past.epoch, partition);
        break;
    }
    if (err == ERR_OK) {
        checker_fail(t->s->checker, "I8: transaction %llu of epoch %d is open, and %s of epoch %d was taken",
                     (unsigned long long)t->txn, t->epoch, what, past.epoch);
    }
}

static void finish(struct transactor *t, bool is_commit)
{
    bool has_doubt = false;
    txn_end_sent(t->history, t->txn, is_commit);
    for (int tries = 0; tries < TRIES && t->s->phase == PHASE_CHAOS; tries++) {
        if (!is_connected(t)) {
            continue;
        }
        enum err err = txn_call_end(t, t->producer_id, t->epoch, is_commit, true);
        if (err == ERR_OK) {
            txn_end_acked(t->history, t->txn);
            return;
        }
        if (!is_passing(err)) {
            if (!has_doubt) {
                txn_end_refused(t->history, t->txn);
            }
            // An abort of what timed out is refused, rightly.
            (void)refused(t, err, is_commit ? "EndTxn, commit" : "EndTxn, abort");
            return;
        }
        has_doubt = true;
        doubt(t, err, "EndTxn");
        if (!t->is_second && err == ERR_CLOSED) {
            break;
        }
    }
    t->must_init = true;
}

// misfortune: it is away, perhaps for longer than its timeout; false: it has died.
static bool misfortune(struct transactor *t)
{
    if (t->s->is_faultless || !sim_chance(world(t), MISFORTUNE_PERMILLE)) {
        return true;
    }
    bool dies = sim_chance(world(t), 500);
    scenario_say(t->s, "transactor %d %s", t->index, dies ? "dies" : "pauses");
    nap(t, t->timeout_ms / 2 + (int64_t)sim_rand(world(t), (uint64_t)t->timeout_ms));
    if (dies) {
        client_drop(&t->client);
        t->must_init = true;
    }
    return !dies;
}

static void transaction(struct transactor *t)
{
    bool is_commit = sim_chance(world(t), 650);
    int batches = 1 + (int)sim_rand(world(t), BATCHES_MAX);
    enum fate fate = FATE_DONE;
    memset(t->is_added, 0, sizeof t->is_added);
    t->txn = txn_begun(t->history, t->id, t->timeout_ms);
    bool is_alive = true;
    for (int i = 0; i < batches && fate == FATE_DONE && is_alive; i++) {
        fate = write_batch(t);
        if (fate == FATE_DONE && sim_chance(world(t), 150)) {
            haunt(t);
        }
        nap(t, (int64_t)sim_rand(world(t), 10 + t->s->pace_ms));
        is_alive = misfortune(t);
    }
    if (fate == FATE_DONE && is_alive && sim_chance(world(t), 400)) {
        fate = write_offsets(t);
    }
    if (is_alive && (fate == FATE_DONE || (fate == FATE_DOUBT && t->is_second))) {
        finish(t, is_commit && fate == FATE_DONE);
    }
}

// ---- the program

static void init(struct transactor *t)
{
    if (!is_connected(t)) {
        return;
    }
    enum err err = txn_call_init(t);
    if (err == ERR_OK) {
        t->must_init = t->is_fenced = false;
    } else if (is_passing(err)) {
        doubt(t, err, "InitProducerId");
    } else {
        (void)refused(t, err, "InitProducerId");
    }
}

void transactor_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct transactor *t = mem_zalloc(sizeof *t);
    struct scenario *s = args->scenario;
    t->s = s;
    t->history = s->txns;
    t->index = args->index;
    t->id = s->has_twins && args->index == 1 ? 0 : args->index;
    t->is_second = sim_chance(s->world, 500);
    t->timeout_ms = 400 + (int32_t)sim_rand(s->world, 2000);
    t->producer_id = -1;
    t->must_init = true;
    client_init(&t->client, env);
    while (s->phase == PHASE_CHAOS) {
        if (!s->topics_are_ready || checker_counts(s->checker).sent >= s->records_max) {
            nap(t, 20);
        } else if (t->must_init) {
            nap(t, t->is_fenced ? (int64_t)sim_rand(s->world, 600) : 0); // a twin shall get somewhere
            init(t);
        } else {
            transaction(t);
        }
        nap(t, (int64_t)sim_rand(s->world, 10 + s->pace_ms));
    }
    client_fini(&t->client);
    mem_free(t);
    s->active_clients--;
}
