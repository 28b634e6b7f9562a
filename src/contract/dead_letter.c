// SPDX-License-Identifier: Apache-2.0
#include "contract/dead_letter.h"

#include <stdio.h>

#include "base/assert.h"

enum {
    LETTER_HEADERS_MAX = 11,
    NUMBER_SIZE = 24,
    EXCEPTION_SIZE = CONTRACT_PATH_SIZE + CONTRACT_REASON_SIZE + 8,
};

// The texts of one letter's headers.
struct letter {
    struct record_header headers[LETTER_HEADERS_MAX];
    int32_t count;
    char partition[NUMBER_SIZE];
    char timestamp[NUMBER_SIZE];
    char version[NUMBER_SIZE];
    char exception[EXCEPTION_SIZE];
};

static void add(struct letter *letter, const char *key, struct str value)
{
    ASSERT(letter->count < LETTER_HEADERS_MAX);
    letter->headers[letter->count++] =
        (struct record_header){str_from_c(key), bytes_of(value.ptr, value.len)};
}

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

static void letter_fill(struct letter *letter, const struct record *record,
                        const struct contract_finding *finding, const struct dead_letter_origin *origin)
{
    letter->count = 0;
    add(letter, DEAD_LETTER_RULE_NAME, finding->rule);
    add(letter, DEAD_LETTER_RULE_MODE, STR("WRITE"));
    add(letter, DEAD_LETTER_RULE_SUBJECT, finding->subject);
    add(letter, DEAD_LETTER_RULE_TOPIC, origin->topic);
    add(letter, DEAD_LETTER_RULE_EXCEPTION, told(letter->exception, sizeof letter->exception, finding));
    add(letter, DEAD_LETTER_ORIGIN_TOPIC, origin->topic);
    add(letter, DEAD_LETTER_ORIGIN_PARTITION,
        print(letter->partition, sizeof letter->partition, origin->partition));
    add(letter, DEAD_LETTER_ORIGIN_TIMESTAMP,
        print(letter->timestamp, sizeof letter->timestamp, record->timestamp));
    if (origin->client_id.ptr != NULL) {
        add(letter, DEAD_LETTER_ORIGIN_CLIENT_ID, origin->client_id);
    }
    if (origin->principal.ptr != NULL) {
        add(letter, DEAD_LETTER_ORIGIN_PRINCIPAL, origin->principal);
    }
    if (origin->schema_version > 0) {
        add(letter, DEAD_LETTER_ORIGIN_SCHEMA,
            print(letter->version, sizeof letter->version, origin->schema_version));
    }
}

void dead_letter_append(struct batch_builder *builder, const struct record *record,
                        const struct contract_finding *finding, const struct dead_letter_origin *origin)
{
    struct letter letter;
    letter_fill(&letter, record, finding, origin);
    batch_builder_append_with(builder, record, builder->options.base_offset + builder->last_offset_delta + 1,
                              letter.headers, letter.count);
}

size_t dead_letter_size(const struct record *record, const struct contract_finding *finding,
                        const struct dead_letter_origin *origin)
{
    enum { VARINTS_SIZE = 64, HEADER_VARINTS_SIZE = 10 };
    struct letter letter;
    letter_fill(&letter, record, finding, origin);
    size_t size = VARINTS_SIZE + record->key.len + record->value.len + record->headers_raw.len;
    for (int32_t i = 0; i < letter.count; i++) {
        size += HEADER_VARINTS_SIZE + letter.headers[i].key.len + letter.headers[i].value.len;
    }
    return size;
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
                          const struct batch_verdict *verdicts, size_t verdict_count, struct buf *out)
{
    struct batch_options options = batch_options_default();
    s->verdicts = verdicts;
    s->count = verdict_count;
    batch_builder_init(&s->builder, &options);
    batch_rewriting_begin(&s->rewriting, &s->builder, header, records,
                          (struct rewrite_judge){settle_judge, s}, out);
}

enum err batch_settling_step(struct batch_settling *s, size_t bytes, bool *ret_is_done, struct error *e)
{
    return batch_rewriting_step(&s->rewriting, bytes, ret_is_done, e);
}

void batch_settling_end(struct batch_settling *s)
{
    batch_rewriting_end(&s->rewriting);
    batch_builder_fini(&s->builder);
}
