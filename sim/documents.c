// SPDX-License-Identifier: Apache-2.0
// documents.c - who changes documents under conditions (decision 0010), as the registry does: a thread in the
// broker's process, with a ledger outside of it. What was acknowledged is there after every restart; what was
// in doubt happened or did not, as a whole; numbers of a counter come once.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "scenario.h"
#include "server/serve.h"

#define MS 1000000LL
enum { PAUSE_MS = 20, REMOVE_EACH = 5, STALE_EACH = 7, VALUE_MAX = 400 };

// A document's number is the serial of the change that put it; 0: it is not there.
static int64_t number_of(const struct document *document)
{
    return document == NULL ? 0 : document_number(document);
}

static void check_one(struct scenario *s, struct document_ledger *ledger, int k,
                      const struct document *document)
{
    int64_t number = number_of(document);
    bool is_known = number == ledger->acked[k] || (k == ledger->doubted && number == ledger->doubt);
    if (!is_known) {
        checker_fail(s->checker, "document %d has %lld, acknowledged was %lld", k, (long long)number,
                     (long long)ledger->acked[k]);
    }
    char text[VALUE_MAX + 1];
    int len = snprintf(text, sizeof text, "%0*lld", (int)(number % VALUE_MAX), (long long)number);
    bool has_value = document == NULL || bytes_equal(document_value(document), bytes_of(text, (size_t)len));
    if (!has_value) {
        checker_fail(s->checker, "document %d of %lld has another's value", k, (long long)number);
    }
    ledger->acked[k] = number;
}

// look compares all and gives the revision of the one to be changed.
static uint64_t look(struct document_writer *w, int changed)
{
    struct scenario *s = w->host->scenario;
    struct document_ledger *ledger = &s->documents;
    uint64_t revision = 0;
    const struct core *core = broker_view_begin(w->broker);
    for (int k = 0; k < LEDGER_DOCUMENTS; k++) {
        char key[16];
        snprintf(key, sizeof key, "doc/%d", k);
        const struct document *document = core_document_find(core, str_from_c(key));
        revision = k == changed && document != NULL ? document_revision(document) : revision;
        check_one(s, ledger, k, document);
    }
    const struct document *counter = core_document_find(core, STR("count"));
    if (number_of(counter) < ledger->counted) {
        checker_fail(s->checker, "the counter has %lld after it gave %lld", (long long)number_of(counter),
                     (long long)ledger->counted);
    }
    broker_view_end(w->broker);
    ledger->doubted = -1;
    return revision;
}

// change makes one change; false: its end is in doubt, and so is what another would see.
static bool change(struct document_writer *w)
{
    struct scenario *s = w->host->scenario;
    struct document_ledger *ledger = &s->documents;
    int64_t serial = ++ledger->serial;
    int k = (int)(serial % LEDGER_DOCUMENTS);
    bool is_removal = serial % REMOVE_EACH == 0;
    bool is_stale = serial % STALE_EACH == 0;
    char key[16];
    char text[VALUE_MAX + 1];
    snprintf(key, sizeof key, "doc/%d", k);
    int len = snprintf(text, sizeof text, "%0*lld", (int)(serial % VALUE_MAX), (long long)serial);
    struct item_condition condition = {str_from_c(key), look(w, k) + is_stale};
    struct item_document changes[] = {
        {.op = is_removal ? DOCUMENT_REMOVE : DOCUMENT_PUT,
         .key = str_from_c(key),
         .value = bytes_of(text, (size_t)len),
         .number = serial},
        {.key = STR("log"), .number_op = NUMBER_NEXT, .counter = STR("count")},
    };
    struct item item = {.kind = ITEM_DOCUMENTS, .version = 1, .documents = {&condition, 1, changes, 2}};
    struct outcome outcome = {0};
    struct error e = {0};
    ledger->doubted = k;
    ledger->doubt = is_removal ? 0 : serial;
    enum err err = broker_change_wait(w->broker, &item, &outcome, &e);
    err = err == ERR_OK ? outcome.err : err;
    if (err != ERR_OK && err != ERR_STALE) {
        return false;
    }
    ledger->doubted = -1;
    if ((err == ERR_STALE) != is_stale) {
        checker_fail(s->checker, "a change of document %d ends with %s", k, err_name(err));
    }
    if (err == ERR_OK) {
        ledger->acked[k] = is_removal ? 0 : serial;
        if (outcome.value <= ledger->counted) {
            checker_fail(s->checker, "the counter gave %lld after %lld", (long long)outcome.value,
                         (long long)ledger->counted);
        }
        ledger->counted = outcome.value;
    }
    return true;
}

void document_writer_main(void *arg)
{
    struct document_writer *w = arg;
    struct scenario *s = w->host->scenario;
    while (!w->must_stop && !s->rot_happened && !w->host->is_read_only && change(w)) {
        clock_sleep_until(w->env->clock, clock_mono_ns(w->env->clock) + PAUSE_MS * MS);
    }
}
