// SPDX-License-Identifier: Apache-2.0
#include "core/core_private.h"
#include "core/group_rig_test.h"

static struct item_document put(const char *key, const char *value, int64_t number)
{
    return (struct item_document){
        .key = str_from_c(key), .value = bytes_of(value, strlen(value)), .number = number};
}

static struct item documents(struct item_condition *conditions, uint32_t condition_count,
                             struct item_document *changes, uint32_t count)
{
    return (struct item){
        .kind = ITEM_DOCUMENTS, .version = 1, .documents = {conditions, condition_count, changes, count}};
}

static enum err change(struct rig *rig, struct item_document *changes, uint32_t count)
{
    struct item item = documents(NULL, 0, changes, count);
    return rig_one(rig, &item).err;
}

static void expect(const struct core *core, const char *key, const char *value, int64_t number,
                   uint64_t revision)
{
    struct document *document = core_document_find(core, str_from_c(key));
    if (value == NULL) {
        assert_null(document);
        return;
    }
    assert_non_null(document);
    assert_true(str_equal(document_key(document), str_from_c(key)));
    assert_true(bytes_equal(document_value(document), bytes_of(value, strlen(value))));
    assert_int_equal(document_number(document), number);
    assert_int_equal(document_revision(document), revision);
}

static void conditions_hold_or_nothing_happens(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item_document changes[] = {put("a", "1", 7), put("b", "2", 8)};
    struct item_condition absent[] = {{STR("a"), 0}, {STR("b"), 0}};
    struct item item = documents(absent, 2, changes, 2);
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    expect(rig.core, "a", "1", 7, 1);
    expect(rig.core, "b", "2", 8, 2);
    assert_int_equal(rig_one(&rig, &item).err, ERR_STALE); // they are there now
    struct item_condition seen[] = {{STR("a"), 1}, {STR("b"), 1}};
    item = documents(seen, 2, changes, 2);
    assert_int_equal(rig_one(&rig, &item).err, ERR_STALE); // b has another revision
    assert_int_equal(core_document_serial(rig.core), 2);
    seen[1].revision = 2;
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    expect(rig.core, "a", "1", 7, 3);
    struct item_document gone[] = {{.op = DOCUMENT_REMOVE, .key = STR("a")},
                                   {.op = DOCUMENT_REMOVE, .key = STR("x")}};
    assert_int_equal(change(&rig, gone, 2), ERR_OK);
    expect(rig.core, "a", NULL, 0, 0);
    assert_int_equal(core_document_serial(rig.core), 5); // x was not there
    assert_int_equal(core_document_count(rig.core), 1);
    assert_int_equal(core_document_bytes(rig.core), 2);
    assert_int_equal(change(&rig, changes, 1), ERR_OK);
    expect(rig.core, "a", "1", 7, 6); // a revision never comes back
    rig_fini(&rig);
}

static void numbers_are_set_added_and_counted(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item_document next[] = {
        {.key = STR("first"),
         .value = {(const uint8_t *)"x", 1},
         .number_op = NUMBER_NEXT,
         .counter = STR("ids")},
        {.key = STR("second"), .number_op = NUMBER_NEXT, .counter = STR("ids")},
    };
    struct item item = documents(NULL, 0, next, 2);
    assert_int_equal(rig_one(&rig, &item).value, 2);
    expect(rig.core, "first", "x", 1, 2);
    expect(rig.core, "second", "", 2, 4);
    expect(rig.core, "ids", "", 2, 3);
    struct item_document copy = {.key = STR("copy"), .number_op = NUMBER_COPY, .counter = STR("first")};
    struct item_document add[] = {{.key = STR("first"), .number_op = NUMBER_ADD, .number = -3},
                                  {.key = STR("new"), .number_op = NUMBER_ADD, .number = 5}};
    assert_int_equal(change(&rig, add, 2), ERR_OK);
    expect(rig.core, "first", "x", -2, 5); // the value stayed
    expect(rig.core, "new", "", 5, 6);
    assert_int_equal(change(&rig, &copy, 1), ERR_OK);
    expect(rig.core, "copy", "", -2, 7);
    struct item_document end[] = {put("ids", "v", INT64_MAX), next[1]};
    item = documents(NULL, 0, end, 2);
    assert_int_equal(rig_one(&rig, &item).value, INT64_MAX); // stops there
    expect(rig.core, "ids", "v", INT64_MAX, 9);
    rig_fini(&rig);
}

static void bad_items_are_refused(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item_document no_key[] = {put("a", "", 0), put("", "1", 0)};
    assert_int_equal(change(&rig, no_key, 2), ERR_INVALID_REQUEST);
    struct item_document no_counter[] = {{.key = STR("a"), .number_op = NUMBER_NEXT, .counter = {"", 0}}};
    assert_int_equal(change(&rig, no_counter, 1), ERR_INVALID_REQUEST);
    assert_int_equal(core_document_count(rig.core), 0);
    assert_int_equal(rig_limit(&rig, "strom.documents.max", "2"), ERR_OK);
    struct item_document three[] = {put("a", "1", 0), put("b", "2", 0), put("c", "3", 0)};
    assert_int_equal(change(&rig, three, 3), ERR_POLICY_VIOLATION);
    assert_int_equal(core_document_count(rig.core), 0);
    assert_int_equal(change(&rig, three, 2), ERR_OK);
    assert_int_equal(change(&rig, three, 2), ERR_OK); // what is there may change
    assert_int_equal(change(&rig, three + 2, 1), ERR_POLICY_VIOLATION);
    assert_int_equal(rig_limit(&rig, "strom.documents.bytes.max", "5"), ERR_OK);
    assert_int_equal(change(&rig, three, 1), ERR_POLICY_VIOLATION);
    struct item_document gone = {.op = DOCUMENT_REMOVE, .key = STR("a")};
    assert_int_equal(change(&rig, &gone, 1), ERR_OK); // and may go
    rig_fini(&rig);
}

static void references_outlive_the_state(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item_document one = put("a", "old", 1);
    assert_int_equal(change(&rig, &one, 1), ERR_OK);
    struct document *held = document_ref(core_document_find(rig.core, STR("a")));
    one = put("a", "new", 2);
    assert_int_equal(change(&rig, &one, 1), ERR_OK);
    rig_fini(&rig);
    assert_true(bytes_equal(document_value(held), bytes_of("old", 3)));
    document_unref(held);
    document_unref(NULL);
}

static void removals_are_followed(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct str key;
    uint64_t revision = 0;
    bool is_complete;
    assert_false(core_document_removal_after(rig.core, 0, &key, &revision, &is_complete));
    assert_true(is_complete);
    for (int i = 0; i < DOCUMENT_REMOVALS_MAX + 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "k%d", i);
        struct item_document pair[] = {put(name, "v", i), {.op = DOCUMENT_REMOVE, .key = str_from_c(name)}};
        assert_int_equal(change(&rig, pair, 2), ERR_OK);
    }
    assert_true(core_document_removal_after(rig.core, 0, &key, &revision, &is_complete));
    assert_false(is_complete);
    assert_int_equal(revision, 22); // ten are forgotten
    assert_true(str_equal(key, STR("k10")));
    assert_true(core_document_removal_after(rig.core, 20, &key, &revision, &is_complete));
    assert_true(is_complete);
    int count = 1;
    while (core_document_removal_after(rig.core, revision, &key, &revision, &is_complete)) {
        assert_true(is_complete);
        count++;
    }
    assert_int_equal(count, DOCUMENT_REMOVALS_MAX);
    assert_true(str_equal(key, STR("k4105")));
    assert_null(core_document_after(rig.core, 0));
    rig_fini(&rig);
}

// ---- against a reference

enum { MODEL_KEYS = 40, MODEL_STEPS = 4000 };

struct model {
    bool is_there[MODEL_KEYS];
    int64_t number[MODEL_KEYS];
    uint64_t revision[MODEL_KEYS];
    uint64_t serial;
};

static void model_check(const struct model *m, const struct core *core)
{
    uint32_t count = 0;
    for (int k = 0; k < MODEL_KEYS; k++) {
        char name[16];
        snprintf(name, sizeof name, "k%d", k);
        const struct document *document = core_document_find(core, str_from_c(name));
        assert_int_equal(document != NULL, m->is_there[k]);
        if (document != NULL) {
            assert_int_equal(document_number(document), m->number[k]);
            assert_int_equal(document_revision(document), m->revision[k]);
            count++;
        }
    }
    assert_int_equal(core_document_count(core), count);
    assert_int_equal(core_document_serial(core), m->serial);
    uint64_t last = 0;
    for (const struct document *d = core_document_after(core, 0); d != NULL;
         d = core_document_after(core, last)) {
        assert_true(document_revision(d) > last);
        last = document_revision(d);
        count--;
    }
    assert_int_equal(count, 0);
}

static void load_and_compare(const struct rig *rig, struct buf *snapshot, uint64_t hash)
{
    struct core *again = core_create();
    struct error e = {0};
    if (core_load(again, buf_bytes(snapshot), &e) != ERR_OK) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(core_state_hash(again), hash);
    struct str key;
    uint64_t revision;
    bool is_complete;
    assert_false(core_document_removal_after(again, 0, &key, &revision, &is_complete));
    assert_int_equal(is_complete, core_document_serial(again) == 0);
    core_destroy(again);
    buf_reset(snapshot);
    (void)rig;
}

static uint32_t dice(uint64_t *seed, uint32_t sides)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % sides;
}

// Random changes while snapshots are cut in slices: each cut is the state at its beginning.
static void any_changes_and_cuts(void **state)
{
    (void)state;
    struct rig rig;
    struct model model = {0};
    struct buf snapshot;
    uint64_t seed = 1;
    uint64_t hash = 0;
    bool is_cutting = false;
    rig_init(&rig);
    buf_init(&snapshot, 1 << 24);
    for (int step = 0; step < MODEL_STEPS; step++) {
        if (!is_cutting && dice(&seed, 20) == 0) {
            hash = core_state_hash(rig.core);
            core_snapshot_begin(rig.core);
            is_cutting = true;
        }
        int k = (int)dice(&seed, MODEL_KEYS);
        char name[16];
        snprintf(name, sizeof name, "k%d", k);
        if (dice(&seed, 4) == 0) {
            struct item_document gone = {.op = DOCUMENT_REMOVE, .key = str_from_c(name)};
            assert_int_equal(change(&rig, &gone, 1), ERR_OK);
            model.serial += model.is_there[k];
            model.is_there[k] = false;
        } else {
            struct item_document one = put(name, "some value", step);
            one.number_op = dice(&seed, 2) == 0 ? NUMBER_ADD : NUMBER_SET;
            assert_int_equal(change(&rig, &one, 1), ERR_OK);
            bool adds = one.number_op == NUMBER_ADD && model.is_there[k];
            model.number[k] = step + (adds ? model.number[k] : 0);
            model.is_there[k] = true;
            model.revision[k] = ++model.serial;
        }
        if (is_cutting && core_snapshot_step(rig.core, 1 + dice(&seed, 4), &snapshot)) {
            is_cutting = false;
            load_and_compare(&rig, &snapshot, hash);
        }
        if (step % 64 == 0) {
            model_check(&model, rig.core);
        }
    }
    buf_fini(&snapshot);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_hold_or_nothing_happens),
        cmocka_unit_test(numbers_are_set_added_and_counted),
        cmocka_unit_test(bad_items_are_refused),
        cmocka_unit_test(references_outlive_the_state),
        cmocka_unit_test(removals_are_followed),
        cmocka_unit_test(any_changes_and_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
