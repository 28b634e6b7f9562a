// SPDX-License-Identifier: Apache-2.0
// register_test.c - registration, look-up, deletion, references, compatibility, as a client sees them.
#include "registry/rig_test.h"

#define SCHEMA(text) "{\"schema\":\"" text "\"}"
#define RECORD(fields)                                                                                       \
    SCHEMA("{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"R\\\",\\\"fields\\\":[" fields "]}")
#define FIELD_A     "{\\\"name\\\":\\\"a\\\",\\\"type\\\":\\\"int\\\"}"
#define FIELD_B     "{\\\"name\\\":\\\"b\\\",\\\"type\\\":\\\"int\\\"}"
#define FIELD_B_OLD "{\\\"name\\\":\\\"b\\\",\\\"type\\\":\\\"int\\\",\\\"default\\\":0}"

static int64_t number(const struct desk *d, const char *name)
{
    int64_t value = -1;
    (void)json_value_i64(json_get(d->json, str_from_c(name)), &value);
    return value;
}

static struct str text(const struct desk *d, const char *name)
{
    return json_get_str(d->json, str_from_c(name));
}

// registers checks the version and the id that a registration gets.
static void registers(struct desk *d, const char *target, const char *body, int64_t version, int64_t id)
{
    ask(d, "POST", target, body);
    if (d->status != 200) {
        fail_msg("%s: %s", target, d->text);
    }
    assert_int_equal(number(d, "version"), version);
    assert_int_equal(number(d, "id"), id);
}

static void versions_and_ids(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    registers(&d, "/subjects/s/versions", RECORD(FIELD_A), 1, 1);
    registers(&d, "/subjects/s/versions", RECORD(FIELD_A), 1, 1); // the same again
    registers(&d, "/subjects/s/versions", RECORD(FIELD_A "," FIELD_B_OLD), 2, 2);
    registers(&d, "/subjects/t/versions", RECORD(FIELD_A), 1, 1);     // ids belong to contents
    registers(&d, "/subjects/:.c:s/versions", RECORD(FIELD_A), 1, 1); // and to contexts
    registers(&d, "/contexts/c/subjects/t/versions", SCHEMA("\\\"string\\\""), 1, 2);
    desk_fini(&d);
}

static void what_was_registered_is_found(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    registers(&d, "/subjects/s/versions", RECORD(FIELD_A), 1, 1);
    static const char stored[] =
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}";
    for (int turn = 0; turn < 2; turn++) { // the second time with an index that was read anew
        ask(&d, "GET", "/schemas/ids/1", NULL);
        assert_true(str_equal(text(&d, "schema"), str_from_c(stored)));
        char guid[64];
        snprintf(guid, sizeof guid, "/schemas/guids/" STR_FMT, STR_ARG(text(&d, "guid")));
        expect(&d, "GET", "/schemas/ids/1/schema", NULL, stored);
        expect(&d, "GET", "/schemas/ids/1/subjects", NULL, "[\"s\"]");
        expect(&d, "GET", "/schemas/ids/1/versions", NULL, "[{\"subject\":\"s\",\"version\":1}]");
        assert_int_equal(ask(&d, "GET", guid, NULL), 200);
        assert_true(str_equal(text(&d, "schema"), str_from_c(stored)));
        strncat(guid, "/ids", sizeof guid - strlen(guid) - 1);
        expect(&d, "GET", guid, NULL, "[{\"context\":\".\",\"id\":1}]");
        expect(&d, "GET", "/subjects", NULL, "[\"s\"]");
        expect(&d, "GET", "/subjects/s/versions", NULL, "[1]");
        expect(&d, "GET", "/subjects/s/versions/latest/schema", NULL, stored);
        assert_int_equal(ask(&d, "GET", "/subjects/s/versions/-1", NULL), 200);
        assert_int_equal(number(&d, "id"), 1);
        assert_int_equal(ask(&d, "POST", "/subjects/s", RECORD(FIELD_A)), 200);
        assert_int_equal(number(&d, "version"), 1);
        assert_int_equal(ask(&d, "GET", "/schemas", NULL), 200);
        assert_int_equal(d.json->count, 1);
        desk_restart(&d);
    }
    desk_fini(&d);
}

static void errors_have_their_codes(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    registers(&d, "/subjects/s/versions", RECORD(FIELD_A), 1, 1);
    expect_code(&d, "GET", "/schemas/ids/7", NULL, 40403);
    expect_code(&d, "GET", "/schemas/ids/x", NULL, 404);
    expect_code(&d, "GET", "/schemas/guids/x", NULL, 40403);
    expect_code(&d, "GET", "/subjects/x/versions", NULL, 40401);
    expect_code(&d, "GET", "/subjects/s/versions/2", NULL, 40402);
    expect_code(&d, "GET", "/subjects/s/versions/0", NULL, 42202);
    expect_code(&d, "GET", "/subjects/s/versions/x", NULL, 42202);
    expect_code(&d, "GET", "/subjects/s/versions/99999999999999999999", NULL, 42202);
    expect_code(&d, "POST", "/subjects/s", RECORD(FIELD_B), 40403);
    expect_code(&d, "POST", "/subjects/x", RECORD(FIELD_B), 40401);
    expect_code(&d, "POST", "/subjects/s/versions", SCHEMA("{"), 42201);
    expect_code(&d, "POST", "/subjects/s/versions", SCHEMA("\\\"no\\\""), 42201);
    expect_code(&d, "POST", "/subjects/x/versions", "{}", 42201);
    expect_code(&d, "POST", "/subjects/s/versions", "{\"schema\":1}", 422);
    expect_code(&d, "POST", "/subjects/s/versions", "{\"schemaType\":\"XML\",\"schema\":\"x\"}", 42201);
    expect_code(&d, "POST", "/subjects/s/versions", "{", 400);
    expect_code(&d, "POST", "/subjects/s/versions", "[]", 422);
    expect_code(&d, "POST", "/subjects/s/versions", NULL, 422);
    expect_code(&d, "POST", "/subjects/__GLOBAL/versions", RECORD(FIELD_A), 42208);
    expect_code(&d, "POST", "/subjects/a%0Ab/versions", RECORD(FIELD_A), 42208);
    expect_code(&d, "POST", "/subjects/s/versions", "{\"schema\":\"\\\"int\\\"\",\"id\":5}", 42205);
    expect_code(&d, "DELETE", "/subjects/x", NULL, 40401);
    expect_code(&d, "DELETE", "/subjects/s?permanent=true", NULL, 40405);
    expect_code(&d, "DELETE", "/subjects/s/versions/1?permanent=true", NULL, 40407);
    expect_code(&d, "DELETE", "/subjects/s/versions/3", NULL, 40402);
    desk_fini(&d);
}

static void incompatible_ones_are_refused(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    registers(&d, "/subjects/s/versions", RECORD(FIELD_A), 1, 1);
    expect_code(&d, "POST", "/subjects/s/versions", RECORD(FIELD_A "," FIELD_B), 409);
    assert_non_null(strstr(d.text, "READER_FIELD_MISSING_DEFAULT_VALUE"));
    assert_non_null(strstr(d.text, "{oldSchemaVersion: 1}"));
    expect(&d, "POST", "/compatibility/subjects/s/versions/latest", RECORD(FIELD_A "," FIELD_B),
           "{\"is_compatible\":false}");
    ask(&d, "POST", "/compatibility/subjects/s/versions?verbose=true", RECORD(FIELD_A "," FIELD_B));
    assert_true(json_get(d.json, STR("messages"))->count >= 4);
    expect(&d, "POST", "/compatibility/subjects/s/versions", RECORD(FIELD_A "," FIELD_B_OLD),
           "{\"is_compatible\":true}");
    expect(&d, "POST", "/compatibility/subjects/new/versions/latest", RECORD(FIELD_A),
           "{\"is_compatible\":true}");
    expect_code(&d, "POST", "/compatibility/subjects/s/versions/2", RECORD(FIELD_A), 40402);
    expect_code(&d, "POST", "/compatibility/subjects/s/versions", SCHEMA("\\\"no\\\""), 42201);
    expect(&d, "PUT", "/config/s", "{\"compatibility\":\"NONE\"}", "{\"compatibility\":\"NONE\"}");
    registers(&d, "/subjects/s/versions", RECORD(FIELD_A "," FIELD_B), 2, 2);
    // Only a transitive level looks further back than the latest.
    registers(&d, "/subjects/s/versions", RECORD(FIELD_B), 3, 3);
    expect(&d, "PUT", "/config/s", "{\"compatibility\":\"BACKWARD\"}", "{\"compatibility\":\"BACKWARD\"}");
    expect(&d, "POST", "/compatibility/subjects/s/versions", RECORD(FIELD_B), "{\"is_compatible\":true}");
    expect(&d, "PUT", "/config/s", "{\"compatibility\":\"BACKWARD_TRANSITIVE\"}",
           "{\"compatibility\":\"BACKWARD_TRANSITIVE\"}");
    expect(&d, "POST", "/compatibility/subjects/s/versions", RECORD(FIELD_B), "{\"is_compatible\":false}");
    desk_fini(&d);
}

static void deletion_has_two_steps(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    registers(&d, "/subjects/s/versions", RECORD(FIELD_A), 1, 1);
    registers(&d, "/subjects/s/versions", RECORD(FIELD_A "," FIELD_B_OLD), 2, 2);
    expect(&d, "DELETE", "/subjects/s/versions/2", NULL, "2");
    expect_code(&d, "DELETE", "/subjects/s/versions/2", NULL, 40406);
    expect(&d, "GET", "/subjects/s/versions", NULL, "[1]");
    expect(&d, "GET", "/subjects/s/versions?deleted=true", NULL, "[1,2]");
    expect(&d, "GET", "/subjects/s/versions?deletedAsNegative=true", NULL, "[1,-2]");
    assert_int_equal(ask(&d, "GET", "/schemas/ids/2", NULL), 200); // what was written can be read
    registers(&d, "/subjects/s/versions", RECORD(FIELD_A "," FIELD_B_OLD), 3, 2);
    expect(&d, "DELETE", "/subjects/s", NULL, "[1,3]");
    expect_code(&d, "DELETE", "/subjects/s", NULL, 40404);
    expect_code(&d, "GET", "/subjects/s/versions", NULL, 40401);
    expect(&d, "GET", "/subjects", NULL, "[]");
    expect(&d, "GET", "/subjects?deleted=true", NULL, "[\"s\"]");
    expect(&d, "DELETE", "/subjects/s/versions/3?permanent=true", NULL, "3");
    expect(&d, "DELETE", "/subjects/s?permanent=true", NULL, "[1,2]");
    expect_code(&d, "GET", "/schemas/ids/2", NULL, 40403);
    expect(&d, "GET", "/subjects?deleted=true", NULL, "[]");
    struct registry_counts counts;
    registry_counts(d.registry, &counts);
    assert_int_equal(counts.schemas + counts.versions + counts.subjects, 0);
    assert_int_equal(core_document_count(d.rig.core), 1); // the counter of ids: they are never used again
    registers(&d, "/subjects/s/versions", RECORD(FIELD_A), 1, 3);
    desk_fini(&d);
}

#define REFERRING(version)                                                                                   \
    "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"Q\\\",\\\"fields\\\":[{\\\"name\\\":"       \
    "\\\"r\\\",\\\"type\\\":\\\"R\\\"}]}\",\"references\":[{\"name\":\"R\",\"subject\":\"s\","               \
    "\"version\":" #version "}]}"

static void what_is_referred_to_stays(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect_code(&d, "POST", "/subjects/q/versions", REFERRING(1), 42201); // it is not there yet
    registers(&d, "/subjects/s/versions", RECORD(FIELD_A), 1, 1);
    registers(&d, "/subjects/q/versions", REFERRING(1), 1, 2);
    expect(&d, "GET", "/subjects/s/versions/1/referencedby", NULL, "[2]");
    expect_code(&d, "DELETE", "/subjects/s", NULL, 42206);
    expect_code(&d, "DELETE", "/subjects/s/versions/1", NULL, 42206);
    expect(&d, "DELETE", "/subjects/q", NULL, "[1]");
    expect(&d, "GET", "/subjects/s/versions/1/referencedby", NULL, "[]");
    expect(&d, "DELETE", "/subjects/s", NULL, "[1]");
    expect_code(&d, "POST", "/subjects/q2/versions", REFERRING(2), 42201);
    expect(&d, "DELETE", "/subjects/q?permanent=true", NULL, "[1]");
    expect(&d, "DELETE", "/subjects/s?permanent=true", NULL, "[1]");
    assert_int_equal(core_document_count(d.rig.core), 1);
    desk_fini(&d);
}

// ---- what others do between the plan and its turn

static void register_other(struct desk *d)
{
    struct desk other = *d; // a second front of the same core
    other.registry = NULL;
    other.text = NULL;
    arena_init(&other.arena, REGISTRY_CALL_BYTES_MAX);
    desk_restart(&other);
    ask(&other, "POST", "/subjects/s/versions", RECORD(FIELD_A "," FIELD_B_OLD));
    assert_int_equal(other.status, 200);
    registry_destroy(other.registry);
    arena_fini(&other.arena);
    mem_free(other.text);
    d->rig = other.rig;
}

static void delete_other(struct desk *d)
{
    struct desk other = *d;
    other.registry = NULL;
    other.text = NULL;
    arena_init(&other.arena, REGISTRY_CALL_BYTES_MAX);
    desk_restart(&other);
    ask(&other, "DELETE", "/subjects/s", NULL);
    assert_int_equal(other.status, 200);
    registry_destroy(other.registry);
    arena_fini(&other.arena);
    mem_free(other.text);
    d->rig = other.rig;
}

static void conflicts_are_planned_again(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    d.overtake = register_other;
    registers(&d, "/subjects/s/versions", RECORD(FIELD_A), 2, 2); // the other one was first
    assert_int_equal(d.tries, 2);
    d.overtake = delete_other; // a reference to what goes meanwhile
    expect_code(&d, "POST", "/subjects/q/versions", REFERRING(1), 42201);
    desk_fini(&d);
}

static void import_keeps_ids(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    ask(&d, "PUT", "/mode", "{\"mode\":\"IMPORT\"}");
    assert_int_equal(d.status, 200);
    expect_code(&d, "POST", "/subjects/s/versions", RECORD(FIELD_A), 42205);
    registers(&d, "/subjects/s/versions", "{\"schema\":\"\\\"int\\\"\",\"id\":70,\"version\":3}", 3, 70);
    registers(&d, "/subjects/s/versions", "{\"schema\":\"\\\"int\\\"\",\"id\":70,\"version\":3}", 3, 70);
    expect_code(&d, "POST", "/subjects/s/versions", "{\"schema\":\"\\\"int\\\"\",\"id\":71}", 42207);
    expect_code(&d, "POST", "/subjects/t/versions", "{\"schema\":\"\\\"long\\\"\",\"id\":70}", 42205);
    registers(&d, "/subjects/t/versions", "{\"schema\":\"\\\"int\\\"\",\"id\":60,\"version\":1}", 1, 60);
    ask(&d, "GET", "/schemas/ids/60", NULL);
    assert_int_equal(d.status, 200);
    ask(&d, "PUT", "/mode?force=true", "{\"mode\":\"READWRITE\"}");
    assert_int_equal(d.status, 200);
    registers(&d, "/subjects/u/versions", SCHEMA("\\\"long\\\""), 1, 71); // above the highest
    desk_restart(&d);
    registers(&d, "/subjects/v/versions", SCHEMA("\\\"int\\\""), 1, 60); // the lowest of its content
    desk_fini(&d);
}

static void listing_by_context(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    registers(&d, "/subjects/b/versions", RECORD(FIELD_A), 1, 1);
    registers(&d, "/subjects/a/versions", RECORD(FIELD_A), 1, 1);
    registers(&d, "/contexts/.x/subjects/ab/versions", RECORD(FIELD_A), 1, 1);
    expect(&d, "GET", "/subjects", NULL, "[\":.x:ab\",\"a\",\"b\"]");
    expect(&d, "GET", "/subjects?subjectPrefix=a", NULL, "[\"a\"]");
    expect(&d, "GET", "/subjects?subjectPrefix=:*:a", NULL, "[\":.x:ab\",\"a\"]");
    expect(&d, "GET", "/subjects?subjectPrefix=:.x:", NULL, "[\":.x:ab\"]");
    expect(&d, "GET", "/contexts/.x/subjects", NULL, "[\":.x:ab\"]");
    expect(&d, "GET", "/subjects?offset=1&limit=1", NULL, "[\"a\"]");
    ask(&d, "GET", "/contexts/.x/schemas/ids/1", NULL);
    assert_int_equal(d.status, 200);
    ask(&d, "GET", "/subjects/ab/versions/1", NULL); // found in the other context
    assert_int_equal(d.status, 200);
    desk_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_and_ids),
        cmocka_unit_test(what_was_registered_is_found),
        cmocka_unit_test(errors_have_their_codes),
        cmocka_unit_test(incompatible_ones_are_refused),
        cmocka_unit_test(deletion_has_two_steps),
        cmocka_unit_test(what_is_referred_to_stays),
        cmocka_unit_test(conflicts_are_planned_again),
        cmocka_unit_test(import_keeps_ids),
        cmocka_unit_test(listing_by_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
