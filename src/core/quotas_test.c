// SPDX-License-Identifier: Apache-2.0
#include "core/group_rig_test.h"

static const struct str none = {NULL, 0};

static struct item quota_set(struct item_quota_part *parts, uint32_t part_count, uint64_t expected,
                             struct item_quota_value *values, uint32_t value_count)
{
    return (struct item){
        .kind = ITEM_QUOTA_SET,
        .version = 1,
        .quota_set = {parts, part_count, expected, values, value_count},
    };
}

static void quota_set_is_checked(void **state)
{
    (void)state;
    struct item_quota_part user[] = {{QUOTA_USER, STR("ann")}, {QUOTA_CLIENT_ID, none}};
    struct item_quota_part twisted[] = {{QUOTA_IP, STR("::1")}, {QUOTA_USER, STR("ann")}};
    struct item_quota_part twice[] = {{QUOTA_USER, STR("ann")}, {QUOTA_USER, STR("bob")}};
    struct item_quota_value values[] = {{STR("a"), 1}, {STR("b"), 2.5}};
    struct item_quota_value unsorted[] = {{STR("b"), 1}, {STR("a"), 2}};
    struct item_quota_value same[] = {{STR("a"), 1}, {STR("a"), 2}};
    const struct {
        const char *what;
        struct item item;
        enum err want;
        uint64_t revision; // of ann and the default client, after it
    } rows[] = {
        {"no parts", quota_set(user, 0, 0, values, 2), ERR_INVALID_REQUEST, 0},
        {"parts not in order", quota_set(twisted, 2, 0, values, 2), ERR_INVALID_REQUEST, 0},
        {"a type twice", quota_set(twice, 2, 0, values, 2), ERR_INVALID_REQUEST, 0},
        {"values not in order", quota_set(user, 2, 0, unsorted, 2), ERR_INVALID_REQUEST, 0},
        {"a value twice", quota_set(user, 2, 0, same, 2), ERR_INVALID_REQUEST, 0},
        {"a revision of no entity", quota_set(user, 2, 1, values, 2), ERR_STALE, 0},
        {"nothing, of no entity", quota_set(user, 2, 0, values, 0), ERR_OK, 0},
        {"made", quota_set(user, 2, 0, values, 2), ERR_OK, 1},
        {"an old plan", quota_set(user, 2, 0, values, 1), ERR_STALE, 1},
        {"changed", quota_set(user, 2, 1, values, 1), ERR_OK, 2},
        {"over strom.quotas.max", quota_set(user, 1, 0, values, 1), ERR_POLICY_VIOLATION, 2},
        {"what is there may change", quota_set(user, 2, 2, values, 2), ERR_OK, 3},
        {"gone", quota_set(user, 2, 3, values, 0), ERR_OK, 0},
        {"made anew", quota_set(user, 2, 0, values, 2), ERR_OK, 1},
    };
    struct rig rig;
    rig_init(&rig);
    assert_int_equal(rig_limit(&rig, "strom.quotas.max", "1"), ERR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t serial = core_quota_serial(rig.core);
        enum err err = rig_one(&rig, &rows[i].item).err;
        if (err != rows[i].want) {
            fail_msg("%s: %s", rows[i].what, err_name(err));
        }
        struct quota_view view = {0};
        assert_int_equal(core_quota_find(rig.core, user, 2, &view), rows[i].revision > 0);
        assert_int_equal(view.revision, rows[i].revision);
        assert_int_equal(core_quota_count(rig.core), rows[i].revision > 0);
        if (err == ERR_OK) {
            assert_true(core_quota_serial(rig.core) != serial);
        } else {
            assert_true(core_quota_serial(rig.core) == serial);
        }
    }
    struct quota_view view;
    assert_true(core_quota_find(rig.core, user, 2, &view));
    assert_int_equal(view.value_count, 2);
    assert_true(view.values[1].value == 2.5);
    assert_true(str_equal(view.values[1].key, STR("b")));
    assert_null(view.parts[1].name.ptr);
    rig_fini(&rig);
}

static void quotas_are_in_the_order_of_their_parts(void **state)
{
    (void)state;
    static struct {
        struct item_quota_part parts[2];
        uint32_t count;
    } rows[] = {
        {{{QUOTA_USER, {NULL, 0}}}, 1},
        {{{QUOTA_USER, {NULL, 0}}, {QUOTA_CLIENT_ID, {"app", 3}}}, 2},
        {{{QUOTA_USER, {"", 0}}}, 1},
        {{{QUOTA_USER, {"ann", 3}}}, 1},
        {{{QUOTA_USER, {"ann", 3}}, {QUOTA_CLIENT_ID, {NULL, 0}}}, 2},
        {{{QUOTA_USER, {"ann", 3}}, {QUOTA_CLIENT_ID, {"app", 3}}}, 2},
        {{{QUOTA_USER, {"anna", 4}}}, 1},
        {{{QUOTA_CLIENT_ID, {NULL, 0}}}, 1},
        {{{QUOTA_CLIENT_ID, {"app", 3}}}, 1},
        {{{QUOTA_IP, {"10.0.0.1", 8}}}, 1},
    };
    enum { COUNT = sizeof rows / sizeof rows[0] };
    struct rig rig;
    rig_init(&rig);
    struct item_quota_value value = {STR("k"), 0};
    for (size_t i = 0; i < COUNT; i++) {
        size_t row = i * 7 % COUNT;
        value.value = (double)row;
        struct item item = quota_set(rows[row].parts, rows[row].count, 0, &value, 1);
        assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    }
    for (int round = 0; round < 2; round++) {
        assert_int_equal(core_quota_count(rig.core), COUNT);
        for (uint32_t i = 0; i < COUNT; i++) {
            struct quota_view view;
            core_quota_at(rig.core, i, &view);
            assert_true(view.values[0].value == (double)i);
            assert_int_equal(view.part_count, rows[i].count);
            assert_true(core_quota_find(rig.core, rows[i].parts, rows[i].count, &view));
            assert_true(view.values[0].value == (double)i);
        }
        rig_reload(&rig);
    }
    for (size_t i = 0; i < COUNT; i++) { // and out again, from the middle
        size_t row = (i + 4) % COUNT;
        struct item item = quota_set(rows[row].parts, rows[row].count, 1, NULL, 0);
        assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
        assert_int_equal(core_quota_count(rig.core), COUNT - 1 - i);
    }
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quota_set_is_checked),
        cmocka_unit_test(quotas_are_in_the_order_of_their_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
