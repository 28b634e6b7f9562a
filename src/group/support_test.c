// SPDX-License-Identifier: Apache-2.0
#include "group/rig_test.h"

enum { MANY_MEMBERS = 2500, MANY_PROTOCOLS = 64 };

static void many_join(struct group_rig *rig, struct group_join *joins, const struct group_protocol *protocols)
{
    for (int i = 0; i < MANY_MEMBERS; i++) {
        bool knows_last_only = i == MANY_MEMBERS - 1;
        joins[i] = (struct group_join){
            .call.owner = &joins[i].skips_assignment, // written when it is answered, and not looked at
            .arena = &rig->arena,
            .group_id = STR("g"),
            .member_id = STR(""),
            .instance_id = arena_printf(&rig->arena, "m%d", i),
            .client_id = STR("c"),
            .client_host = STR("/127.0.0.1"),
            .session_timeout_ms = 10000,
            .rebalance_timeout_ms = 60000,
            .protocol_type = STR("consumer"),
            .protocols = knows_last_only ? &protocols[MANY_PROTOCOLS - 1] : protocols,
            .protocol_count = knows_last_only ? 1 : MANY_PROTOCOLS,
            .fresh_id = {{(uint8_t)i, (uint8_t)(i >> 8), ++rig->ids}},
        };
        coordinator_join(rig->c, &joins[i], rig->now_ms);
    }
}

// The last member knows only what comes last in the lists of all others. Comparing names member by member
// took half a minute; the time limit of this test is less.
static void test_many_members_and_protocols(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    coordinator_destroy(rig.c);
    rig.limits.members_max = MANY_MEMBERS;
    rig.limits.members_total_max = MANY_MEMBERS;
    rig.limits.group_bytes_max = 16 << 20;
    rig.c = coordinator_create(rig.core.core, &rig.limits);
    struct group_protocol protocols[MANY_PROTOCOLS];
    for (int i = 0; i < MANY_PROTOCOLS; i++) {
        protocols[i] = (struct group_protocol){arena_printf(&rig.arena, "p%d", i), bytes_of("m", 1)};
    }
    protocols[MANY_PROTOCOLS - 2] = protocols[MANY_PROTOCOLS - 1]; // named twice, counts once
    static struct group_join joins[2][MANY_MEMBERS];
    many_join(&rig, joins[0], protocols);
    many_join(&rig, joins[1], protocols); // all static members come again
    time_pass(&rig, 6000);
    for (int i = 0; i < MANY_MEMBERS; i++) {
        assert_int_equal(joins[0][i].err, ERR_FENCED_INSTANCE_ID);
        assert_int_equal(joins[1][i].err, ERR_OK);
        assert_true(str_equal(joins[1][i].protocol_name, STR("p63")));
    }
    assert_int_equal(coordinator_count(rig.c, GROUP_COMPLETING), 1);
    group_rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_members_and_protocols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
