// SPDX-License-Identifier: Apache-2.0
// The records of the `_schemas` topic: their exact bytes, and that whoever follows them from any moment on
// knows at the end what somebody knows who has read everything anew.
#include "registry/rig_test.h"

enum { KEYS_MAX = 512, WALK_OPS = 400, REMOVALS = 10000, TEXT_MAX = 2048 };

// What a follower of the topic knows: the last value of each key.
struct follower {
    struct str keys[KEYS_MAX];
    struct str values[KEYS_MAX]; // NULL ptr: a tombstone came
    size_t count;
    size_t records;
};

static struct str text_keep(const struct buf *b)
{
    char *copy = mem_alloc(b->len + 1);
    memcpy(copy, b->ptr, b->len);
    copy[b->len] = '\0';
    return (struct str){copy, b->len};
}

static void follower_take(struct follower *follower, const struct buf *key, const struct buf *value)
{
    size_t at = 0;
    while (at < follower->count && !str_equal(follower->keys[at], buf_str(key))) {
        at++;
    }
    assert_true(at < KEYS_MAX);
    if (at == follower->count) {
        follower->keys[follower->count++] = text_keep(key);
    } else {
        mem_free((char *)follower->values[at].ptr);
    }
    follower->values[at] = value->len == 0 ? (struct str){0} : text_keep(value);
    follower->records++;
}

static void follower_fini(struct follower *follower)
{
    for (size_t i = 0; i < follower->count; i++) {
        mem_free((char *)follower->keys[i].ptr);
        mem_free((char *)follower->values[i].ptr);
    }
    *follower = (struct follower){0};
}

// follow takes what has come; false: some of it was lost.
static bool follow(struct desk *d, struct follower *follower)
{
    struct buf key;
    struct buf value;
    enum registry_feed feed;
    buf_init(&key, ITEM_DOCUMENT_VALUE_MAX);
    buf_init(&value, 2 * ITEM_DOCUMENT_VALUE_MAX);
    while ((feed = registry_feed_next(d->registry, &key, &value)) == REGISTRY_FEED_RECORD) {
        follower_take(follower, &key, &value);
    }
    buf_fini(&key);
    buf_fini(&value);
    return feed == REGISTRY_FEED_END;
}

static struct str follower_find(const struct follower *follower, struct str key)
{
    for (size_t i = 0; i < follower->count; i++) {
        if (str_equal(follower->keys[i], key)) {
            return follower->values[i];
        }
    }
    return (struct str){0};
}

static void expect_known(const struct follower *follower, const char *key, const char *value)
{
    struct str got = follower_find(follower, str_from_c(key));
    if (value == NULL) {
        assert_null(got.ptr);
    } else {
        assert_non_null(got.ptr);
        assert_string_equal(got.ptr, value);
    }
}

// expect_same: whatever one of them knows, the other knows, too.
static void expect_same(const struct follower *a, const struct follower *b)
{
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < a->count; i++) {
            struct str other = follower_find(b, a->keys[i]);
            if ((other.ptr == NULL) != (a->values[i].ptr == NULL) || !str_equal(other, a->values[i])) {
                fail_msg("%s: %s, and %s", a->keys[i].ptr, a->values[i].ptr, other.ptr);
            }
        }
        const struct follower *c = a;
        a = b;
        b = c;
    }
}

static void read_anew(struct desk *d, struct follower *follower)
{
    struct desk other = {.rig = d->rig};
    desk_restart(&other);
    registry_feed_begin(other.registry);
    assert_true(follow(&other, follower));
    registry_destroy(other.registry);
}

static void records_are_confluents(void **state)
{
    (void)state;
    struct desk d;
    struct follower follower = {0};
    desk_init(&d);
    registry_feed_begin(d.registry);
    assert_true(follow(&d, &follower));
    assert_int_equal(follower.count, 0);
    expect_code(&d, "POST", "/subjects/s/versions", "{\"schema\":\"\\\"int\\\"\"}", 0);
    expect_code(&d, "POST", "/subjects/:.c:a%2F%22b/versions",
                "{\"schemaType\":\"JSON\",\"schema\":\"{}\",\"metadata\":{\"properties\":{\"a\":\"b\"}},"
                "\"references\":[{\"name\":\"r\",\"subject\":\"x\",\"version\":1}]}",
                42201);
    expect_code(&d, "POST", "/subjects/:.c:x/versions", "{\"schemaType\":\"JSON\",\"schema\":\"{}\"}", 0);
    expect_code(&d, "POST", "/subjects/:.c:a%2F%22b/versions",
                "{\"schemaType\":\"JSON\",\"schema\":\"{}\",\"metadata\":{\"properties\":{\"a\":\"b\"}},"
                "\"references\":[{\"name\":\"r\",\"subject\":\"x\",\"version\":1}]}",
                0);
    expect_code(&d, "PUT", "/config", "{\"compatibility\":\"FULL\",\"normalize\":true}", 0);
    expect_code(&d, "PUT", "/config/s", "{\"compatibility\":\"NONE\",\"alias\":\"t\"}", 0);
    expect_code(&d, "PUT", "/config/:.__GLOBAL:", "{\"compatibility\":\"FORWARD\"}", 0);
    expect_code(&d, "PUT", "/mode/:.c:", "{\"mode\":\"READONLY\"}", 0);
    expect_code(&d, "POST", "/associations",
                "{\"resourceName\":\"t\",\"resourceNamespace\":\"n\",\"resourceId\":\"i\",\"resourceType\":"
                "\"topic\",\"associations\":[{\"subject\":\"s\",\"associationType\":\"value\",\"lifecycle\":"
                "\"WEAK\"}]}",
                0);
    assert_true(follow(&d, &follower));
    expect_known(
        &follower, "{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":1,\"magic\":1}",
        "{\"subject\":\"s\",\"version\":1,\"id\":1,\"deleted\":false,\"schemaType\":\"AVRO\",\"schema\":"
        "\"\\\"int\\\"\"}");
    expect_known(
        &follower, "{\"keytype\":\"SCHEMA\",\"subject\":\":.c:a/\\\"b\",\"version\":1,\"magic\":1}",
        "{\"subject\":\":.c:a/\\\"b\",\"version\":1,\"id\":2,\"deleted\":false,\"schemaType\":\"JSON\","
        "\"schema\":\"{}\",\"references\":[{\"name\":\"r\",\"subject\":\"x\",\"version\":1}],"
        "\"metadata\":{\"properties\":{\"a\":\"b\"}}}");
    expect_known(&follower, "{\"keytype\":\"CONTEXT\",\"tenant\":\"default\",\"context\":\".c\",\"magic\":0}",
                 "{\"tenant\":\"default\",\"context\":\".c\"}");
    expect_known(&follower, "{\"keytype\":\"CONFIG\",\"subject\":null,\"magic\":0}",
                 "{\"subject\":null,\"normalize\":true,\"compatibilityLevel\":\"FULL\"}");
    expect_known(&follower, "{\"keytype\":\"CONFIG\",\"subject\":\"s\",\"magic\":0}",
                 "{\"subject\":\"s\",\"alias\":\"t\",\"compatibilityLevel\":\"NONE\"}");
    expect_known(&follower, "{\"keytype\":\"CONFIG\",\"subject\":\":.__GLOBAL:\",\"magic\":0}",
                 "{\"subject\":\":.__GLOBAL:\",\"compatibilityLevel\":\"FORWARD\"}");
    expect_known(&follower, "{\"keytype\":\"MODE\",\"subject\":\":.c:\",\"magic\":0}",
                 "{\"subject\":\":.c:\",\"mode\":\"READONLY\"}");
    struct str value = follower_find(
        &follower,
        STR("{\"keytype\":\"ASSOC\",\"tenant\":\"default\",\"resourceName\":\"t\",\"resourceNamespace\":"
            "\"n\",\"resourceType\":\"topic\",\"associationType\":\"value\",\"subject\":\"s\",\"magic\":0}"));
    assert_non_null(value.ptr);
    assert_non_null(strstr(value.ptr, "{\"tenant\":\"default\",\"subject\":\"s\",\"guid\":\""));
    assert_non_null(strstr(value.ptr, "\"lifecycle\":\"WEAK\""));
    assert_int_equal(follower.count, 9);
    assert_int_equal(follower.records, 9); // nothing twice
    follower_fini(&follower);
    desk_fini(&d);
}

static void what_goes_is_a_tombstone(void **state)
{
    (void)state;
    struct desk d;
    struct follower follower = {0};
    desk_init(&d);
    expect_code(&d, "POST", "/subjects/:.c:s/versions", "{\"schema\":\"\\\"int\\\"\"}", 0);
    expect_code(&d, "PUT", "/config/:.c:s", "{\"compatibility\":\"NONE\"}", 0);
    expect_code(&d, "PUT", "/mode/:.c:s", "{\"mode\":\"READWRITE\"}", 0);
    expect_code(
        &d, "POST", "/associations",
        "{\"resourceName\":\"t\",\"resourceNamespace\":\"n\",\"resourceId\":\"i\",\"resourceType\":"
        "\"topic\",\"associations\":[{\"subject\":\":.c:s\",\"associationType\":\"value\",\"lifecycle\":"
        "\"WEAK\"}]}",
        0);
    registry_feed_begin(d.registry);
    assert_true(follow(&d, &follower));
    assert_int_equal(follower.count, 5);
    expect_code(&d, "DELETE", "/subjects/:.c:s/versions/1", NULL, 0);
    assert_true(follow(&d, &follower));
    expect_known(
        &follower, "{\"keytype\":\"SCHEMA\",\"subject\":\":.c:s\",\"version\":1,\"magic\":1}",
        "{\"subject\":\":.c:s\",\"version\":1,\"id\":1,\"deleted\":true,\"schemaType\":\"AVRO\",\"schema\":"
        "\"\\\"int\\\"\"}");
    ask(&d, "DELETE", "/associations/resources/i", NULL);
    expect_code(&d, "DELETE", "/subjects/:.c:s?permanent=true", NULL, 0);
    assert_true(follow(&d, &follower));
    assert_int_equal(follower.count, 5);
    for (size_t i = 0; i < follower.count; i++) {
        assert_null(follower.values[i].ptr);
    }
    follower_fini(&follower);
    desk_fini(&d);
}

static uint64_t chance;
static uint32_t pick(uint32_t below)
{
    chance = chance * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(chance >> 33) % below;
}

static void any_change(struct desk *d)
{
    char subject[32];
    char target[128];
    char body[256];
    snprintf(subject, sizeof subject, "%ss%u", pick(3) == 0 ? ":.c:" : "", pick(4));
    switch (pick(7)) {
    case 0:
        snprintf(target, sizeof target, "/subjects/%s", subject);
        ask(d, "DELETE", target, NULL);
        snprintf(target, sizeof target, "/subjects/%s?permanent=true", subject);
        if (pick(2) == 0) {
            ask(d, "DELETE", target, NULL);
        }
        break;
    case 1:
        snprintf(target, sizeof target, "/subjects/%s/versions/%u%s", subject, 1 + pick(4),
                 pick(2) == 0 ? "?permanent=true" : "");
        ask(d, "DELETE", target, NULL);
        break;
    case 2:
        snprintf(target, sizeof target, "/%s/%s", pick(2) == 0 ? "config" : "mode", subject);
        if (pick(2) == 0) {
            ask(d, "DELETE", target, NULL);
        } else {
            ask(d, "PUT", target,
                target[1] == 'c' ? "{\"compatibility\":\"NONE\"}" : "{\"mode\":\"READWRITE\"}");
        }
        break;
    case 3:
        snprintf(
            body, sizeof body,
            "{\"resourceName\":\"t%u\",\"resourceNamespace\":\"n\",\"resourceId\":\"i%u\",\"resourceType\":"
            "\"topic\",\"associations\":[{\"subject\":\"%s\",\"associationType\":\"value\",\"lifecycle\":"
            "\"WEAK\"}]}",
            pick(2), pick(3), subject);
        ask(d, pick(2) == 0 ? "POST" : "PUT", "/associations", body);
        break;
    case 4:
        snprintf(target, sizeof target, "/associations/resources/i%u", pick(3));
        ask(d, "DELETE", target, NULL);
        break;
    default:
        snprintf(target, sizeof target, "/subjects/%s/versions", subject);
        snprintf(body, sizeof body,
                 "{\"schema\":\"{\\\"type\\\":\\\"fixed\\\",\\\"name\\\":\\\"F\\\",\\\"size\\\":%u}\"}",
                 pick(6));
        ask(d, "POST", target, body);
    }
}

static void following_is_as_good_as_reading(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct desk d;
        struct follower all = {0};
        struct follower late = {0};
        chance = seed;
        desk_init(&d);
        expect_code(&d, "PUT", "/config/:.__GLOBAL:", "{\"compatibility\":\"NONE\"}", 0);
        registry_feed_begin(d.registry);
        for (int i = 0; i < WALK_OPS; i++) {
            any_change(&d);
            if (pick(5) == 0) {
                assert_true(follow(&d, &all));
            }
            if (i == WALK_OPS / 2) { // from here on anew, in the middle of things
                registry_feed_begin(d.registry);
                any_change(&d);
            }
        }
        assert_true(follow(&d, &all));
        read_anew(&d, &late);
        expect_same(&all, &late);
        assert_true(all.count > 20);
        follower_fini(&all);
        follower_fini(&late);
        desk_fini(&d);
    }
}

static void what_is_lost_is_said(void **state)
{
    (void)state;
    struct desk d;
    struct follower follower = {0};
    desk_init(&d);
    registry_feed_begin(d.registry);
    assert_true(follow(&d, &follower));
    expect_code(&d, "PUT", "/config/s", "{\"compatibility\":\"NONE\"}", 0);
    for (int i = 0; i < REMOVALS; i++) { // more than the core remembers
        desk_document(&d, "other/x", "", 0);
        desk_document(&d, "other/x", NULL, 0);
    }
    assert_false(follow(&d, &follower));
    assert_false(follow(&d, &follower));
    registry_feed_begin(d.registry);
    assert_true(follow(&d, &follower));
    assert_int_equal(follower.count, 1);
    follower_fini(&follower);
    desk_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_confluents),
        cmocka_unit_test(what_goes_is_a_tombstone),
        cmocka_unit_test(following_is_as_good_as_reading),
        cmocka_unit_test(what_is_lost_is_said),
    };
    return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
