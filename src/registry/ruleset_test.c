// SPDX-License-Identifier: Apache-2.0
#include "registry/rig_test.h"

#define LONG64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char *refusal(struct desk *d, const char *text)
{
    struct json_value *rule_set = NULL;
    struct registry_call call = {.arena = &d->arena};
    arena_reset(&d->arena);
    mem_free(d->text);
    d->text = NULL;
    assert_int_equal(json_parse(str_from_c(text), &d->arena, &rule_set, NULL), ERR_OK);
    bool is_sound = rule_set_check(&call, rule_set);
    assert_true(is_sound == (call.status == 0));
    if (is_sound) {
        return NULL;
    }
    assert_int_equal(call.status, 422);
    d->text = mem_zalloc(call.answer.len + 1);
    memcpy(d->text, call.answer.ptr, call.answer.len);
    buf_fini(&call.answer);
    assert_non_null(strstr(d->text, "42210"));
    return d->text;
}

static void sound_rule_sets_pass(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "null",
        "{}",
        "{\"migrationRules\":null,\"domainRules\":[],\"encodingRules\":null,\"enableAt\":null,\"more\":1}",
        "{\"enableAt\":\"SERVER\",\"domainRules\":[{\"name\":\"_a-1\",\"type\":\"CEL\"}]}",
        "{\"domainRules\":[{\"name\":\"a\",\"kind\":null,\"mode\":null,\"type\":\"T\",\"tags\":null,"
        "\"params\":null,"
        "\"onFailure\":\"A,B\",\"disabled\":null}]}",
        "{\"domainRules\":[{\"name\":\"a\",\"doc\":\"d\",\"kind\":\"CONDITION\",\"mode\":\"WRITEREAD\","
        "\"type\":\"T\","
        "\"tags\":[\"PII\"],\"params\":{\"k\":\"v\"},\"expr\":\"e\",\"onSuccess\":\"NONE\",\"onFailure\":"
        "\"DLQ,ERROR\","
        "\"disabled\":true}],"
        "\"migrationRules\":[{\"name\":\"b\",\"kind\":\"TRANSFORM\",\"mode\":\"UPDOWN\",\"type\":\"T\","
        "\"onSuccess\":\"A,B\"},{\"name\":\"c\",\"mode\":\"UPGRADE\",\"type\":\"T\",\"onSuccess\":\"A\"}],"
        "\"encodingRules\":[{\"name\":\"d\",\"mode\":\"READ\",\"type\":\"T\"}]}",
        "{\"domainRules\":[{\"name\":\"\xc3\xa4\",\"type\":\"T\"}]}",
        "{\"domainRules\":[{\"name\":\"" LONG64 LONG64 LONG64 LONG64 "\",\"type\":\"T\"}]}",
    };
    struct desk d;
    desk_init(&d);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = refusal(&d, rows[i]);
        if (text != NULL) {
            fail_msg("%s: %s", rows[i], text);
        }
    }
    desk_fini(&d);
}

static void others_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        {"7", "must be an object"},
        {"[]", "must be an object"},
        {"{\"enableAt\":\"BROKER\"}", "enableAt"},
        {"{\"enableAt\":1}", "enableAt"},
        {"{\"domainRules\":{}}", "must be a list"},
        {"{\"encodingRules\":\"x\"}", "must be a list"},
        {"{\"domainRules\":[null]}", "must be an object"},
        {"{\"domainRules\":[7]}", "must be an object"},
        {"{\"domainRules\":[{\"type\":\"T\"}]}", "Missing rule name"},
        {"{\"domainRules\":[{\"name\":7,\"type\":\"T\"}]}", "Missing rule name"},
        {"{\"domainRules\":[{\"name\":\"\",\"type\":\"T\"}]}", "Empty rule name"},
        {"{\"domainRules\":[{\"name\":\"1a\",\"type\":\"T\"}]}", "initial character"},
        {"{\"domainRules\":[{\"name\":\"-a\",\"type\":\"T\"}]}", "initial character"},
        {"{\"domainRules\":[{\"name\":\"a b\",\"type\":\"T\"}]}", "Illegal character"},
        {"{\"domainRules\":[{\"name\":\"a.b\",\"type\":\"T\"}]}", "Illegal character"},
        {"{\"domainRules\":[{\"name\":\"a\\u0000\",\"type\":\"T\"}]}", "Illegal character"},
        {"{\"domainRules\":[{\"name\":\"a" LONG64 LONG64 LONG64 LONG64 "\",\"type\":\"T\"}]}", "256"},
        {"{\"domainRules\":[{\"name\":\"a\"}]}", "Missing rule type"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"\"}]}", "Missing rule type"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":1}]}", "must be a string"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\"},{\"name\":\"a\",\"type\":\"T\"}]}", "duplicate"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\"}],\"encodingRules\":[{\"name\":\"a\",\"type\":"
         "\"T\"}]}",
         "duplicate"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"kind\":\"CHECK\"}]}", "kind"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"kind\":[]}]}", "'kind'"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"mode\":\"UPGRADE\"}]}", "Domain rules can only"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"mode\":\"write\"}]}", "Domain rules can only"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"mode\":{}}]}", "'mode'"},
        {"{\"encodingRules\":[{\"name\":\"a\",\"type\":\"T\",\"mode\":\"UPDOWN\"}]}",
         "Encoding rules can only"},
        {"{\"migrationRules\":[{\"name\":\"a\",\"type\":\"T\",\"mode\":\"READ\"}]}",
         "Migration rules can only"},
        {"{\"migrationRules\":[{\"name\":\"a\",\"type\":\"T\"}]}", "Migration rules can only"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"tags\":\"PII\"}]}", "tags"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"tags\":[7]}]}", "tags"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"params\":[]}]}", "params"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"params\":{\"k\":1}}]}", "params"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"doc\":1}]}", "'doc'"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"expr\":false}]}", "'expr'"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"onSuccess\":[]}]}", "'onSuccess'"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"onFailure\":{}}]}", "'onFailure'"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"disabled\":\"no\"}]}", "'disabled'"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"mode\":\"WRITE\",\"onFailure\":\"A,B\"}]}",
         "two actions"},
        {"{\"migrationRules\":[{\"name\":\"a\",\"type\":\"T\",\"mode\":\"UPGRADE\",\"onSuccess\":\"A,\"}]}",
         "two actions"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"onFailure\":\"A,B,C\"}]}", "more than two"},
    };
    struct desk d;
    desk_init(&d);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = refusal(&d, rows[i].text);
        if (text == NULL || strstr(text, rows[i].want) == NULL) {
            fail_msg("%s: %s", rows[i].text, text == NULL ? "passed" : text);
        }
    }
    desk_fini(&d);
}

static void many_rules_take_no_long_time(void **state)
{
    (void)state;
    struct desk d;
    struct buf text;
    desk_init(&d);
    for (int count = 10000; count <= 10001; count++) {
        buf_init(&text, 10 << 20);
        buf_append_str(&text, STR("{\"domainRules\":["));
        for (int i = 0; i < count; i++) {
            buf_printf(&text, "%s{\"name\":\"r%d\",\"type\":\"T\"}", i == 0 ? "" : ",", i);
        }
        buf_append_str(&text, STR("]}"));
        buf_u8(&text, 0);
        assert_true((refusal(&d, (const char *)text.ptr) == NULL) == (count == 10000));
        buf_fini(&text);
    }
    desk_fini(&d);
}

// names_of writes "a=EXPR b=EXPR" of the rules of the newest version of the subject "s".
static void names_of(struct desk *d, struct buf *out)
{
    buf_reset(out);
    assert_int_equal(ask(d, "GET", "/subjects/s/versions/latest", NULL), 200);
    const struct json_value *rules = json_get(json_get(d->json, STR("ruleSet")), STR("domainRules"));
    for (const struct json_value *v = rules == NULL ? NULL : rules->first; v != NULL; v = v->next) {
        buf_printf(out, "%s" STR_FMT "=" STR_FMT, out->len == 0 ? "" : " ",
                   STR_ARG(json_get_str(v, STR("name"))), STR_ARG(json_get_str(v, STR("expr"))));
    }
    buf_u8(out, 0);
}

// The rules of a version are those of the config's default, over them the ones given or else those of the
// version before, over them the config's override: by name.
static void rules_are_inherited(void **state)
{
    (void)state;
#define RULE(name, expr) "{\"name\":\"" name "\",\"type\":\"CEL\",\"expr\":\"" expr "\"}"
    struct desk d;
    struct buf names;
    desk_init(&d);
    buf_init(&names, 1 << 12);
    assert_int_equal(
        ask(&d, "PUT", "/config/s",
            "{\"compatibility\":\"NONE\",\"defaultRuleSet\":{\"domainRules\":[" RULE("a", "1") "," RULE(
                "b",
                "1") "]},\"overrideRuleSet\":{\"enableAt\":\"SERVER\",\"domainRules\":[" RULE("z",
                                                                                              "3") "]}}"),
        200);
    assert_int_equal(ask(&d, "POST", "/subjects/s/versions",
                         "{\"schema\":\"\\\"string\\\"\",\"ruleSet\":{\"domainRules\":[" RULE(
                             "b", "2") "," RULE("c", "2") "," RULE("z", "2") "]}}"),
                     200);
    names_of(&d, &names);
    assert_string_equal((char *)names.ptr, "a=1 b=2 c=2 z=3");
    assert_true(str_equal(json_get_str(json_get(d.json, STR("ruleSet")), STR("enableAt")), STR("SERVER")));
    assert_int_equal(ask(&d, "POST", "/subjects/s/versions", "{\"schema\":\"\\\"long\\\"\"}"), 200);
    names_of(&d, &names);
    assert_string_equal((char *)names.ptr, "a=1 b=2 c=2 z=3");
    assert_int_equal(ask(&d, "POST", "/subjects/s/versions",
                         "{\"schema\":\"\\\"int\\\"\",\"ruleSet\":{\"domainRules\":[" RULE("c", "4") "]}}"),
                     200);
    names_of(&d, &names);
    assert_string_equal((char *)names.ptr, "a=1 b=1 c=4 z=3");
#undef RULE
    buf_fini(&names);
    desk_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_rule_sets_pass),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(many_rules_take_no_long_time),
        cmocka_unit_test(rules_are_inherited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
