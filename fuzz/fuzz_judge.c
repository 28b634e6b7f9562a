// SPDX-License-Identifier: Apache-2.0
// Everything that is hostile at once: a schema, its rule set and metadata, and a batch of records in all ways
// of framing, judged with a budget of a few thousand steps and little memory. The first byte is format, level
// and action, the second what else there is to spend; then schema, rule set and metadata, each up to a zero
// byte; then the records: a byte for the framing, two for the length, the value. Whatever it is, there is a
// verdict for each record, the budget only shrinks, and where it is gone the finding says so.
#include "base/assert.h"
#include "contract/contract.h"
#include "contract/frame.h"

enum {
    STEPS_UNIT = 64,             // times the second byte
    MEMORY_BYTES_MAX = 64 << 10, // of each arena
    RECORDS_MAX = 16,
    WAYS = 4,
};

struct batch {
    const struct contract *contract;
    struct contract_run run;
    bool is_protobuf;
};

static struct bytes part(struct bytes *rest)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->ptr, 0, rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->ptr);
    struct bytes first = bytes_slice(*rest, 0, len);
    *rest = bytes_slice(*rest, len + (end != NULL), rest->len - len - (end != NULL));
    return first;
}

static struct contract *make(enum format format, enum contract_level level, struct bytes *rest)
{
    struct bytes text = part(rest);
    struct bytes rules = part(rest);
    struct bytes metadata = part(rest);
    struct schema_source source = {.format = format, .text = {(const char *)text.ptr, text.len}};
    struct schema *schema = NULL;
    struct contract *contract = NULL;
    struct error e = {0};
    if (schema_create(&source, &schema, &e) != ERR_OK) {
        ASSERT(e.text[0] != 0);
        return NULL;
    }
    struct contract_source made = {.part = {.schema = schema, .subject = STR("s"), .version = 1},
                                   .level = level};
    made.part.rule_set = (struct str){rules.len == 0 ? NULL : (const char *)rules.ptr, rules.len};
    made.part.metadata = (struct str){metadata.len == 0 ? NULL : (const char *)metadata.ptr, metadata.len};
    enum err err = contract_create(&made, &contract, &e);
    ASSERT((err == ERR_OK) == (contract != NULL) && (err == ERR_OK || e.text[0] != 0));
    ASSERT(contract == NULL || contract_memory(contract) <= CONTRACT_MEMORY_BYTES_MAX + PROGRAM_BYTES_MAX);
    schema_unref(schema);
    return contract;
}

// payload_of takes the framing off as the broker does; false: it is refused for that.
static bool payload_of(const struct batch *batch, uint8_t way, struct bytes value, struct bytes *ret)
{
    static const uint8_t header[] = {0, 0, 0, 0, 1};
    struct frame frame;
    int32_t indexes[FRAME_INDEXES_MAX];
    size_t count;
    struct bytes in_header = way % WAYS == 0 ? bytes_of(header, sizeof header) : (struct bytes){NULL, 0};
    if (frame_read_value(value, in_header, &frame, NULL) != ERR_OK) {
        return false;
    }
    *ret = frame.prefix.kind == FRAME_NAME_NONE || way % WAYS == 1 ? frame.whole : frame.behind;
    return !batch->is_protobuf || way % WAYS == 2 || frame_indexes_read(ret, indexes, &count, NULL) == ERR_OK;
}

static void judge(struct batch *batch, struct bytes payload)
{
    struct contract_run *run = &batch->run;
    struct contract_verdict verdict;
    uint64_t before = run->steps;
    arena_reset(run->arena);
    enum contract_action action = contract_judge(batch->contract, run, payload, &verdict);
    ASSERT(run->steps <= before && before - run->steps <= CONTRACT_STEPS_RECORD_MAX);
    ASSERT(run->arena->total <= MEMORY_BYTES_MAX && run->scratch->total <= MEMORY_BYTES_MAX);
    ASSERT(action == verdict.action && verdict.count <= verdict.total);
    ASSERT((action == CONTRACT_PASS) == (verdict.total == 0));
    if (run->on_failure != CONTRACT_OBSERVE && verdict.count == 1 &&
        str_equal(verdict.findings[0].rule, STR(CONTRACT_RULE_BUDGET))) {
        ASSERT(action == CONTRACT_REJECT); // the batch's, which ends with it
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum format formats[] = {FORMAT_AVRO, FORMAT_JSON, FORMAT_PROTOBUF};
    if (size < 2) {
        return 0;
    }
    enum format format = formats[data[0] % 3];
    struct bytes rest = bytes_of(data + 2, size - 2);
    struct contract *contract =
        make(format, data[0] / 3 % 2 == 0 ? CONTRACT_RULES : CONTRACT_STRUCTURE, &rest);
    if (contract == NULL) {
        return 0;
    }
    struct arena arena;
    struct arena scratch;
    arena_init(&arena, MEMORY_BYTES_MAX);
    arena_init(&scratch, MEMORY_BYTES_MAX);
    struct batch batch = {
        .contract = contract,
        .is_protobuf = format == FORMAT_PROTOBUF,
        .run = {.arena = &arena,
                .scratch = &scratch,
                .now_ms = 1700000000000,
                .on_failure = (enum contract_action)(data[0] / 6 % (CONTRACT_REJECT + 1)),
                .steps = STEPS_UNIT * (1 + (uint64_t)data[1])},
    };
    for (int i = 0; i < RECORDS_MAX && rest.len >= 3; i++) {
        size_t len = (size_t)rest.ptr[1] << 8 | rest.ptr[2];
        len = len < rest.len - 3 ? len : rest.len - 3;
        struct bytes value = bytes_slice(rest, 3, len);
        struct bytes payload;
        if (payload_of(&batch, rest.ptr[0], value, &payload)) {
            judge(&batch, payload);
        }
        rest = bytes_slice(rest, 3 + len, rest.len - 3 - len);
    }
    contract_unref(contract);
    arena_fini(&arena);
    arena_fini(&scratch);
    return 0;
}
