// SPDX-License-Identifier: Apache-2.0
// judge.c - verdicts: the payload against the schema, then the rules that see the whole message, then the
// walk over its fields.
#include "contract/contract_private.h"

#include <stdio.h>

#include "base/assert.h"

#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#else
#define UNINITIALIZED
#endif

enum {
    PATH_PARTS_MAX = 2 * PAYLOAD_DEPTH_MAX,
    BYTES_PER_STEP = 16, // of a payload that is checked
    STEPS_OF_RULE = 16,  // besides those of its evaluation
};

// ---- findings

static enum contract_action action_of(const struct contract_run *run, enum contract_action own)
{
    if (run->on_failure == CONTRACT_OBSERVE) {
        return CONTRACT_OBSERVE;
    }
    enum contract_action topic = run->on_failure == CONTRACT_PASS ? CONTRACT_REJECT : run->on_failure;
    return own == CONTRACT_PASS ? topic : own;
}

static bool is_known(const struct contract_verdict *verdict, const struct contract_finding *finding)
{
    for (size_t i = 0; i < verdict->count; i++) {
        if (str_equal(verdict->findings[i].rule, finding->rule) &&
            str_equal(verdict->findings[i].path, finding->path) &&
            str_equal(verdict->findings[i].subject, finding->subject)) {
            return true;
        }
    }
    return false;
}

// cut_text copies a text that may be long, at a character's boundary.
static struct str cut_text(struct arena *arena, struct str text, size_t size_max)
{
    if (text.len >= size_max) {
        text.len = size_max - 1;
        while (text.len > 0 && ((uint8_t)text.ptr[text.len] & 0xc0) == 0x80) {
            text.len--;
        }
    }
    return arena_str(arena, text);
}

static void finding_add(struct contract_run *run, struct contract_verdict *verdict,
                        const struct contract_finding *finding)
{
    if (is_known(verdict, finding)) {
        return;
    }
    verdict->action = finding->action > verdict->action ? finding->action : verdict->action;
    verdict->total++;
    if (verdict->findings == NULL) {
        verdict->findings = arena_new(run->arena, struct contract_finding, CONTRACT_FINDINGS_MAX);
    }
    if (verdict->findings == NULL) {
        return; // the action says enough
    }
    // The finding that decides is always told.
    size_t at = verdict->count;
    for (size_t i = 0; at == CONTRACT_FINDINGS_MAX && i < CONTRACT_FINDINGS_MAX; i++) {
        at = verdict->findings[i].action < finding->action ? i : at;
    }
    if (at == CONTRACT_FINDINGS_MAX) {
        return;
    }
    verdict->findings[at] = *finding;
    verdict->count += at == verdict->count;
}

void contract_verdict_add(struct contract_run *run, struct contract_verdict *verdict, const char *rule,
                          struct str subject, const char *reason)
{
    struct contract_finding finding = {
        .action = action_of(run, CONTRACT_PASS),
        .rule = str_from_c(rule),
        .subject = arena_str(run->arena, subject),
        .path = STR("$"),
        .reason = cut_text(run->arena, str_from_c(reason), CONTRACT_REASON_SIZE),
    };
    finding_add(run, verdict, &finding);
}

static size_t position_of(const struct view *view)
{
    if (view == NULL || view->raw.ptr == NULL || view->payload.ptr == NULL ||
        view->raw.ptr < view->payload.ptr || view->raw.ptr > view->payload.ptr + view->payload.len) {
        return 0;
    }
    return (size_t)(view->raw.ptr - view->payload.ptr);
}

void judge_find(struct judge *j, const struct rule *rule, const struct way *way, const struct view *view,
                struct str reason)
{
    struct arena *arena = j->run->arena;
    struct contract_finding finding = {
        .action = action_of(j->run, rule->on_failure),
        .rule = rule->name,
        .subject = rule->subject,
        .path = way_print(way, arena),
        .reason = cut_text(arena, reason, CONTRACT_REASON_SIZE),
        .position = position_of(view),
    };
    if (rule->on_failure == CONTRACT_DEAD_LETTER && finding.action == CONTRACT_DEAD_LETTER) {
        finding.dead_letter_topic = rule->letter_topic;
    }
    finding_add(j->run, j->verdict, &finding);
}

void judge_succeed(struct judge *j, const struct rule *rule, const struct way *way)
{
    if (rule->on_success == CONTRACT_PASS) {
        return;
    }
    struct contract_finding finding = {
        .action = action_of(j->run, rule->on_success),
        .rule = rule->name,
        .subject = rule->subject,
        .path = way_print(way, j->run->arena),
        .reason = STR("the rule holds, and its onSuccess asks for this"),
    };
    if (finding.action == CONTRACT_DEAD_LETTER) {
        finding.dead_letter_topic = rule->letter_topic;
    }
    finding_add(j->run, j->verdict, &finding);
}

bool judge_spend(struct judge *j, uint64_t steps)
{
    if (j->is_spent || steps > j->steps) {
        j->is_spent = true;
        return false;
    }
    j->steps -= steps;
    return true;
}

// What used up the steps.
enum spender {
    SPENT_BEFORE, // other records of the batch
    SPENT_BY_SCHEMA,
    SPENT_BY_RULES,
};

// budget_find: of a batch that used up its steps nothing more is judged, so it is refused as a whole.
static void budget_find(struct judge *j, enum spender spender)
{
    static const char *const reasons[][2] = {
        [SPENT_BEFORE] = {"the payload is so large that it takes more steps than a record may",
                          "the records before it used up the steps that a batch may take"},
        [SPENT_BY_SCHEMA] = {"patterns or branches of the schema used up the steps that a record may take",
                             "patterns or branches of the schema used up the steps that a batch may take"},
        [SPENT_BY_RULES] = {"the rules used up the steps that a record may take",
                            "the rules used up the steps that a batch may take"},
    };
    bool is_batch = j->run->steps < j->limit;
    struct contract_finding finding = {
        .action = action_of(j->run, is_batch ? CONTRACT_REJECT : CONTRACT_PASS),
        .rule = STR(CONTRACT_RULE_BUDGET),
        .subject = j->contract->parts[0].subject,
        .path = STR("$"),
        .reason = str_from_c(reasons[spender][is_batch]),
    };
    finding_add(j->run, j->verdict, &finding);
}

// ---- where

// name_is_plain: it may stand behind a dot.
static bool name_is_plain(struct str name)
{
    bool is_plain = name.len > 0 && !(name.ptr[0] >= '0' && name.ptr[0] <= '9');
    for (size_t i = 0; is_plain && i < name.len; i++) {
        uint8_t c = (uint8_t)name.ptr[i];
        is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                   c >= 0x80;
    }
    return is_plain;
}

struct str way_print(const struct way *way, struct arena *arena)
{
    const struct way *ways[PATH_PARTS_MAX] UNINITIALIZED;
    size_t count = 0;
    struct buf out;
    buf_init(&out, 2 * CONTRACT_PATH_SIZE);
    for (; way != NULL && count < PATH_PARTS_MAX; way = way->up) {
        ways[count++] = way;
    }
    buf_u8(&out, '$');
    while (count-- > 0 && out.len < CONTRACT_PATH_SIZE) {
        if (ways[count]->name.ptr == NULL && ways[count]->index < 0) {
            buf_append_str(&out, STR("[*]"));
        } else if (ways[count]->name.ptr == NULL) {
            buf_printf(&out, "[%lld]", (long long)ways[count]->index);
        } else {
            bool is_plain = name_is_plain(ways[count]->name);
            buf_append_str(&out, is_plain ? STR(".") : STR("[\""));
            buf_append_str(&out, ways[count]->name);
            buf_append_str(&out, is_plain ? STR("") : STR("\"]"));
        }
    }
    struct str text = cut_text(arena, out.failed ? STR("$...") : buf_str(&out), CONTRACT_PATH_SIZE);
    buf_fini(&out);
    return text.ptr == NULL ? STR("$") : text;
}

// ---- rules

// told_of gives an evaluation's error, but for what may come from the payload: what stands behind a colon, or
// quoted, is left out unless it stands in the expression.
static struct str told_of(struct judge *j, const struct rule *rule, const struct error *e)
{
    struct str text = str_from_c(e->text);
    const char *colon = memchr(text.ptr, ':', text.len);
    size_t keep = colon == NULL ? text.len : (size_t)(colon - text.ptr);
    for (size_t i = 0; i < keep; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\'') {
            keep = i;
        }
    }
    if (keep < text.len) {
        struct str rest = str_trim((struct str){text.ptr + keep + 1, text.len - keep - 1});
        bool is_ours = rest.len > 0 && memmem(rule->expr.ptr, rule->expr.len, rest.ptr, rest.len) != NULL;
        text.len = is_ours ? text.len : keep;
    }
    return arena_printf(j->run->arena, "the expression cannot be evaluated: " STR_FMT,
                        STR_ARG(str_trim(text)));
}

// literal_of: a text that a check answers is told only if it stands in the expression as a literal: it might
// be made of the payload otherwise.
static struct str literal_of(const struct rule *rule, struct str answer)
{
    const char *from = rule->expr.ptr;
    const char *end = from + rule->expr.len;
    while (answer.len > 0) {
        const char *at = memmem(from, (size_t)(end - from), answer.ptr, answer.len);
        if (at == NULL) {
            break;
        }
        bool is_quoted = at > rule->expr.ptr && at + answer.len < end && (at[-1] == '\'' || at[-1] == '"') &&
                         at[answer.len] == at[-1];
        if (is_quoted) {
            return (struct str){at, answer.len};
        }
        from = at + 1;
    }
    return rule->reason;
}

static enum err code_run(struct judge *j, const struct code *code, const struct cel_value *values,
                         struct cel_value *ret, struct error *e)
{
    struct cel_run run = {
        .variables = values,
        .slots = code->has_slots ? j->slots + code->first_slot : NULL,
        .arena = j->run->scratch,
        .steps = j->steps,
    };
    enum err err = cel_eval(code->program, &run, ret, e);
    j->steps = run.steps;
    return err;
}

enum rule_answer rule_run(struct judge *j, const struct rule *rule, const struct cel_value *values,
                          struct str *ret_reason)
{
    struct error e UNINITIALIZED; // what fails fills it
    struct cel_value value;
    bool is_true = true;
    if (!judge_spend(j, STEPS_OF_RULE)) {
        return RULE_HOLDS; // the budget is what is told of
    }
    // A guard that is false, or cannot be evaluated, lets the value pass.
    if (rule->guard.program != NULL) {
        enum err err = code_run(j, &rule->guard, values, &value, &e);
        if (err == ERR_NO_MEMORY) {
            *ret_reason = told_of(j, rule, &e);
            return RULE_BREAKS;
        }
        if (err != ERR_OK || (cel_value_bool(value, &is_true) && !is_true)) {
            return RULE_HOLDS;
        }
    }
    if (code_run(j, &rule->body, values, &value, &e) != ERR_OK) {
        *ret_reason = told_of(j, rule, &e);
        return RULE_BREAKS;
    }
    *ret_reason = rule->reason;
    struct str text;
    if (cel_value_bool(value, &is_true)) {
        return is_true ? RULE_HOLDS : RULE_FAILS;
    }
    if (rule->type != RULE_CHECK) {
        return RULE_HOLDS; // only false fails
    }
    if (!cel_value_string(value, &text)) {
        *ret_reason = STR("the check gave neither a bool nor a string");
        return RULE_BREAKS;
    }
    *ret_reason = literal_of(rule, text);
    return text.len == 0 ? RULE_HOLDS : RULE_FAILS;
}

static struct cel_value now_of(const struct contract_run *run)
{
    int64_t seconds = run->now_ms / 1000 - (run->now_ms % 1000 < 0);
    return cel_timestamp(seconds, (uint32_t)(run->now_ms - seconds * 1000) * 1000000);
}

static void message_rules_run(struct judge *j, const struct view *root)
{
    const struct cel_value values[] = {cel_view(root), now_of(j->run)};
    for (uint32_t i = 0; i < j->contract->message_rule_count; i++) {
        const struct rule *rule = j->contract->message_rules[i];
        struct str reason;
        enum rule_answer answer = rule_run(j, rule, values, &reason);
        if (answer != RULE_HOLDS) {
            judge_find(j, rule, NULL, root, reason);
        } else if (rule->on_success != CONTRACT_PASS) {
            judge_succeed(j, rule, NULL);
        }
    }
}

// ---- the whole

static void structure_find(struct judge *j, const struct program_fault *fault)
{
    struct contract_finding finding = {
        .action = action_of(j->run, CONTRACT_PASS),
        .rule = STR(CONTRACT_RULE_STRUCTURE),
        .subject = j->contract->parts[0].subject,
        .path = cut_text(j->run->arena, str_from_c(fault->path), CONTRACT_PATH_SIZE),
        .reason = cut_text(j->run->arena, str_from_c(fault->text), CONTRACT_REASON_SIZE),
        .position = fault->position,
    };
    finding_add(j->run, j->verdict, &finding);
}

// steps_of_record: nobody else is served while one record is judged.
static uint64_t steps_of_record(size_t len)
{
    uint64_t steps = CONTRACT_STEPS_RECORD_MIN + (uint64_t)len;
    return steps < CONTRACT_STEPS_RECORD_MAX ? steps : CONTRACT_STEPS_RECORD_MAX;
}

enum contract_action contract_judge(const struct contract *contract, struct contract_run *run,
                                    struct bytes payload, struct contract_verdict *ret)
{
    uint64_t limit = steps_of_record(payload.len);
    uint64_t most = run->steps < limit ? run->steps : limit;
    struct view slots[PROGRAM_PATHS_MAX] UNINITIALIZED; // as many as there are paths are filled
    struct program_fault fault UNINITIALIZED;
    struct judge j = {
        .contract = contract, .run = run, .verdict = ret, .slots = slots, .steps = most, .limit = limit};
    *ret = (struct contract_verdict){0};
    if (run->scratch->total > 0 || run->scratch->failed) {
        arena_reset(run->scratch);
    }
    if (contract->is_opaque) {
        return CONTRACT_PASS;
    }
    if (!judge_spend(&j, 1 + payload.len / BYTES_PER_STEP)) {
        budget_find(&j, SPENT_BEFORE);
        return ret->action;
    }
    int64_t left = (int64_t)j.steps;
    struct view *views = contract->slot_count == 0 ? NULL : slots;
    enum err err = program_check_hiding(contract->program, payload, views, &left, &fault);
    j.steps = (uint64_t)left;
    if (err == ERR_NO_MEMORY && left == 0) {
        budget_find(&j, SPENT_BY_SCHEMA);
        run->steps -= most;
        return ret->action;
    }
    if (err != ERR_OK) {
        structure_find(&j, &fault);
        run->steps -= most - j.steps;
        return ret->action;
    }
    if (contract->message_rule_count > 0 || contract->places != NULL) {
        struct view root = view_root(contract->program, payload);
        message_rules_run(&j, &root);
        judge_walk(&j, &root);
    }
    if (j.is_spent) {
        budget_find(&j, SPENT_BY_RULES);
        j.steps = 0;
    }
    run->steps -= most - j.steps;
    return ret->action;
}
