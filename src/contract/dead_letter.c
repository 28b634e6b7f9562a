// SPDX-License-Identifier: Apache-2.0
#include "contract/dead_letter.h"

#include <stdio.h>

enum {
    NUMBER_SIZE = 24,
    EXCEPTION_SIZE = CONTRACT_PATH_SIZE + CONTRACT_REASON_SIZE + 8,
};

static struct str print(char *text, size_t size, int64_t number)
{
    int len = snprintf(text, size, "%lld", (long long)number);
    return (struct str){text, (size_t)len};
}

// told is "path: reason", cut to its size.
static struct str told(char *text, size_t size, const struct contract_finding *finding)
{
    int len = snprintf(text, size, STR_FMT ": " STR_FMT, STR_ARG(finding->path), STR_ARG(finding->reason));
    return (struct str){text, (size_t)len < size ? (size_t)len : size - 1};
}

// ---- letters

void dead_letter_writer_init(struct dead_letter_writer *w, const struct dead_letter_origin *origin)
{
    *w = (struct dead_letter_writer){.origin = *origin};
    buf_init(&w->headers, SIZE_MAX / 2);
    buf_init(&w->texts, SIZE_MAX / 2);
}

void dead_letter_writer_fini(struct dead_letter_writer *w)
{
    buf_fini(&w->headers);
    buf_fini(&w->texts);
}

static void add(struct dead_letter_writer *w, const char *key, struct str value)
{
    const struct record_header header = {str_from_c(key), bytes_of(value.ptr, value.len)};
    record_headers_encode(&header, 1, &w->headers);
    w->header_count++;
}

static void headers_code(struct dead_letter_writer *w, const struct record *record,
                         const struct contract_finding *finding, int32_t schema_version)
{
    const struct dead_letter_origin *origin = &w->origin;
    char number[NUMBER_SIZE];
    char exception[EXCEPTION_SIZE];
    buf_reset(&w->headers);
    w->header_count = 0;
    add(w, DEAD_LETTER_RULE_NAME, finding->rule);
    add(w, DEAD_LETTER_RULE_MODE, STR("WRITE"));
    add(w, DEAD_LETTER_RULE_SUBJECT, finding->subject);
    add(w, DEAD_LETTER_RULE_TOPIC, origin->topic);
    add(w, DEAD_LETTER_RULE_EXCEPTION, told(exception, sizeof exception, finding));
    add(w, DEAD_LETTER_ORIGIN_TOPIC, origin->topic);
    add(w, DEAD_LETTER_ORIGIN_PARTITION, print(number, sizeof number, origin->partition));
    struct str timestamp = print(number, sizeof number, record->timestamp);
    add(w, DEAD_LETTER_ORIGIN_TIMESTAMP, timestamp);
    w->timestamp = record->timestamp;
    w->timestamp_len = timestamp.len;
    w->timestamp_at = w->headers.len - timestamp.len;
    if (origin->client_id.ptr != NULL) {
        add(w, DEAD_LETTER_ORIGIN_CLIENT_ID, origin->client_id);
    }
    if (origin->principal.ptr != NULL) {
        add(w, DEAD_LETTER_ORIGIN_PRINCIPAL, origin->principal);
    }
    if (schema_version > 0) {
        add(w, DEAD_LETTER_ORIGIN_SCHEMA, print(number, sizeof number, schema_version));
    }
    w->schema_version = schema_version;
}

// is_as_last: the last letter told the same finding. If not, it is kept for the next one.
static bool is_as_last(struct dead_letter_writer *w, const struct contract_finding *finding)
{
    const struct str texts[DEAD_LETTER_TEXTS] = {finding->rule, finding->subject, finding->path,
                                                 finding->reason};
    bool is_same = w->header_count > 0;
    size_t at = 0;
    for (size_t i = 0; i < DEAD_LETTER_TEXTS && is_same; i++) {
        struct bytes last = bytes_slice(buf_bytes(&w->texts), at, w->text_lens[i]);
        is_same = bytes_equal(last, bytes_of(texts[i].ptr, texts[i].len));
        at += last.len;
    }
    if (!is_same) {
        buf_reset(&w->texts);
        for (size_t i = 0; i < DEAD_LETTER_TEXTS; i++) {
            buf_append_str(&w->texts, texts[i]);
            w->text_lens[i] = texts[i].len;
        }
    }
    return is_same;
}

// is_stamped: what is coded has the timestamp; one of as many digits is written over the last one.
static bool is_stamped(struct dead_letter_writer *w, int64_t timestamp)
{
    char number[NUMBER_SIZE];
    if (timestamp == w->timestamp) {
        return true;
    }
    struct str text = print(number, sizeof number, timestamp);
    if (text.len != w->timestamp_len) {
        return false;
    }
    memcpy(w->headers.ptr + w->timestamp_at, text.ptr, text.len);
    w->timestamp = timestamp;
    return true;
}

void dead_letter_append(struct dead_letter_writer *w, struct batch_builder *builder,
                        const struct record *record, const struct contract_finding *finding,
                        int32_t schema_version)
{
    if (!is_as_last(w, finding) || schema_version != w->schema_version || !is_stamped(w, record->timestamp)) {
        headers_code(w, record, finding, schema_version);
    }
    batch_builder_append_coded(builder, record, builder->options.base_offset + builder->last_offset_delta + 1,
                               buf_bytes(&w->headers), w->header_count);
}

// ---- the batch that they leave

static struct rewrite_fate settle_judge(void *arg, const struct record *record, int32_t index)
{
    struct batch_settling *s = arg;
    (void)record;
    if ((size_t)index >= s->count) {
        return (struct rewrite_fate){0};
    }
    const struct batch_verdict *verdict = &s->verdicts[index];
    if (verdict->action == CONTRACT_DEAD_LETTER) {
        return (struct rewrite_fate){.is_dropped = true};
    }
    if (verdict->action != CONTRACT_MARK) {
        return (struct rewrite_fate){0};
    }
    int len = snprintf(s->text, sizeof s->text, STR_FMT ": ", STR_ARG(verdict->finding->rule));
    size_t used = (size_t)len < sizeof s->text ? (size_t)len : sizeof s->text - 1;
    struct str rest = told(s->text + used, sizeof s->text - used, verdict->finding);
    s->header = (struct record_header){STR(MARK_HEADER), bytes_of(s->text, used + rest.len)};
    return (struct rewrite_fate){.headers = &s->header, .header_count = 1};
}

void batch_settling_begin(struct batch_settling *s, const struct batch_header *header, struct bytes records,
                          const struct batch_verdict *verdicts, size_t verdict_count)
{
    struct batch_options options = batch_options_default();
    struct batch_header walked = *header;
    s->verdicts = verdicts;
    s->count = verdict_count;
    if (verdicts == NULL) { // there is nothing to look at
        walked.record_count = 0;
        records = bytes_of(NULL, 0);
    }
    batch_builder_init(&s->builder, &options);
    batch_rewriting_begin(&s->rewriting, &s->builder, &walked, records,
                          (struct rewrite_judge){settle_judge, s});
}

enum err batch_settling_step(struct batch_settling *s, size_t bytes, bool *ret_is_done, struct error *e)
{
    return batch_rewriting_step(&s->rewriting, bytes, ret_is_done, e);
}

void batch_settling_end(struct batch_settling *s)
{
    batch_builder_fini(&s->builder);
}
