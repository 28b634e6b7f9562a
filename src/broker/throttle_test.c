// SPDX-License-Identifier: Apache-2.0
// Quotas with a clock that is moved by hand: which one applies, who shares it, and what it lets through.
#include "broker/throttle.h"

#include "broker/test_rig.h"

enum { S = 1000000000 };

static const struct throttle_limits few = {3, {11, S}};

struct entity {
    const char *user; // NULL = not a part of it, "" = the default
    const char *client;
    const char *ip;
};

static int setup(void **state)
{
    static struct rig rig;
    rig_init(&rig);
    rig_start(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    rig_stop(rig);
    rig_fini(rig);
    return 0;
}

static void part_add(struct item_quota_part *parts, uint32_t *count, enum quota_part_type type,
                     const char *name)
{
    if (name != NULL) {
        parts[(*count)++] =
            (struct item_quota_part){type, name[0] == '\0' ? (struct str){NULL, 0} : str_from_c(name)};
    }
}

// quota_set gives an entity one quota, or takes it (value 0).
static void quota_set(struct rig *rig, struct entity entity, const char *key, double value)
{
    struct item_quota_part parts[3];
    uint32_t count = 0;
    part_add(parts, &count, QUOTA_USER, entity.user);
    part_add(parts, &count, QUOTA_CLIENT_ID, entity.client);
    part_add(parts, &count, QUOTA_IP, entity.ip);
    const struct quota_change change = {str_from_c(key), value, value == 0};
    struct item item;
    struct outcome outcome;
    struct error e = {0};
    assert_int_equal(broker_plan_quotas(rig->broker, parts, count, &change, 1, &rig->arena, &item, &e),
                     ERR_OK);
    assert_int_equal(broker_change_wait(rig->broker, &item, &outcome, &e), ERR_OK);
    assert_int_equal(outcome.err, ERR_OK);
}

static struct throttle_who who(const char *user, const char *client)
{
    return (struct throttle_who){.user = str_from_c(user), .client_id = str_from_c(client)};
}

static double bound(struct throttles *t, enum throttle_kind kind, const char *user, const char *client)
{
    const struct throttle_who client_of = who(user, client);
    return throttle_bound(t, kind, &client_of);
}

static int64_t add(struct throttles *t, const char *user, const char *client, double amount, int64_t now_ns)
{
    const struct throttle_who client_of = who(user, client);
    return throttle_add(t, THROTTLE_PRODUCE, &client_of, amount, now_ns);
}

static void precedence(void **state)
{
    struct rig *rig = *state;
    struct throttles *t = broker_throttles(rig->broker);
    assert_false(throttles_are_on(t));
    assert_true(bound(t, THROTTLE_PRODUCE, "u", "c") < 0);
    // From the last to the first: each hides those before it, from whom it names.
    static const struct {
        struct entity entity;
        double uc; // what user u with client c has then
        double ux;
        double xc;
        double xx;
    } rows[] = {
        {{NULL, "", NULL}, 1, 1, 1, 1}, {{NULL, "c", NULL}, 2, 1, 2, 1}, {{"", NULL, NULL}, 3, 3, 3, 3},
        {{"", "", NULL}, 4, 4, 4, 4},   {{"", "c", NULL}, 5, 4, 5, 4},   {{"u", NULL, NULL}, 6, 6, 5, 4},
        {{"u", "", NULL}, 7, 7, 5, 4},  {{"u", "c", NULL}, 8, 7, 5, 4},
    };
    enum { ROWS = sizeof rows / sizeof rows[0] };
    for (size_t i = 0; i < ROWS; i++) {
        quota_set(rig, rows[i].entity, "producer_byte_rate", (double)i + 1);
        assert_true(bound(t, THROTTLE_PRODUCE, "u", "c") == rows[i].uc);
        assert_true(bound(t, THROTTLE_PRODUCE, "u", "x") == rows[i].ux);
        assert_true(bound(t, THROTTLE_PRODUCE, "x", "c") == rows[i].xc);
        assert_true(bound(t, THROTTLE_PRODUCE, "x", "x") == rows[i].xx);
    }
    // Each kind is looked for on its own; addresses have their own, too.
    assert_true(bound(t, THROTTLE_FETCH, "u", "c") < 0);
    quota_set(rig, (struct entity){NULL, "", NULL}, "consumer_byte_rate", 77);
    assert_true(bound(t, THROTTLE_FETCH, "u", "c") == 77);
    quota_set(rig, (struct entity){NULL, NULL, ""}, "connection_creation_rate", 5);
    quota_set(rig, (struct entity){NULL, NULL, "10.0.0.1"}, "connection_creation_rate", 6);
    struct throttle_who ip = {.ip = STR("10.0.0.1")};
    assert_true(throttle_bound(t, THROTTLE_CONNECTION, &ip) == 6);
    assert_true(throttle_bound(t, THROTTLE_PRODUCE, &ip) < 0);
    ip.ip = STR("10.0.0.2");
    assert_true(throttle_bound(t, THROTTLE_CONNECTION, &ip) == 5);
    // Taken away again, in the other order; after the last one nothing is asked any more.
    for (size_t i = ROWS; i > 0; i--) {
        assert_true(bound(t, THROTTLE_PRODUCE, "u", "c") == rows[i - 1].uc);
        quota_set(rig, rows[i - 1].entity, "producer_byte_rate", 0);
    }
    assert_true(bound(t, THROTTLE_PRODUCE, "u", "c") < 0);
    quota_set(rig, (struct entity){NULL, "", NULL}, "consumer_byte_rate", 0);
    quota_set(rig, (struct entity){NULL, NULL, ""}, "connection_creation_rate", 0);
    assert_true(throttles_are_on(t));
    quota_set(rig, (struct entity){NULL, NULL, "10.0.0.1"}, "connection_creation_rate", 0);
    assert_false(throttles_are_on(t));
}

static void sharing(void **state)
{
    struct rig *rig = *state;
    struct throttles *t = broker_throttles(rig->broker);
    int64_t now_ns = 1000LL * S;
    // A quota of client ids: each id its own, whoever the user is.
    quota_set(rig, (struct entity){NULL, "", NULL}, "producer_byte_rate", 100);
    assert_int_equal(add(t, "u", "a", 1000, now_ns), 0);
    assert_int_equal(add(t, "u", "b", 1000, now_ns), 0);
    int64_t wait_ns = add(t, "v", "a", 1000, now_ns); // 2000 over ten seconds are twice too much
    assert_in_range(wait_ns, 10LL * S, 10LL * S + 2);
    // A quota of users: all client ids of one share it.
    now_ns += 100LL * S;
    quota_set(rig, (struct entity){"", NULL, NULL}, "producer_byte_rate", 100);
    assert_int_equal(add(t, "u", "a", 1000, now_ns), 0);
    assert_int_equal(add(t, "v", "a", 1000, now_ns), 0);
    assert_true(add(t, "u", "b", 1000, now_ns) > 9LL * S);
    // Of both: every pair its own.
    now_ns += 100LL * S;
    quota_set(rig, (struct entity){"", "", NULL}, "producer_byte_rate", 100);
    assert_int_equal(add(t, "u", "a", 1000, now_ns), 0);
    assert_int_equal(add(t, "u", "b", 1000, now_ns), 0);
    assert_int_equal(add(t, "v", "a", 1000, now_ns), 0);
    assert_true(add(t, "u", "a", 1000, now_ns) > 9LL * S);
    // A new value holds at once, for what was used before, too; what is taken back is as if it never was.
    quota_set(rig, (struct entity){"", "", NULL}, "producer_byte_rate", 1000);
    assert_int_equal(add(t, "u", "a", 1, now_ns), 0);
    quota_set(rig, (struct entity){"", "", NULL}, "producer_byte_rate", 100);
    assert_true(add(t, "u", "a", 0, now_ns) > 9LL * S);
    assert_int_equal(add(t, "u", "a", -2001, now_ns), 0);
    assert_int_equal(add(t, "u", "a", 1000, now_ns), 0);
}

static void mutations(void **state)
{
    struct rig *rig = *state;
    struct throttles *t = broker_throttles(rig->broker);
    const struct throttle_who client = who("u", "c");
    int64_t now_ns = 1000LL * S;
    int64_t wait_ns = 0;
    assert_true(throttle_mutate(t, &client, 1e9, true, now_ns, &wait_ns));
    quota_set(rig, (struct entity){"u", NULL, NULL}, "controller_mutation_rate", 2);
    // All windows are there at once, 22, and the last change may go beyond them.
    assert_true(throttle_mutate(t, &client, 20, true, now_ns, &wait_ns));
    assert_int_equal(wait_ns, 0);
    assert_true(throttle_mutate(t, &client, 12, true, now_ns, &wait_ns));
    assert_int_equal(wait_ns, 5LL * S);
    assert_false(throttle_mutate(t, &client, 1, true, now_ns, &wait_ns));
    assert_int_equal(wait_ns, 5LL * S);
    // Those that cannot be refused go on, and wait for longer.
    assert_true(throttle_mutate(t, &client, 2, false, now_ns, &wait_ns));
    assert_int_equal(wait_ns, 6LL * S);
    now_ns += 5LL * S;
    assert_false(throttle_mutate(t, &client, 1, true, now_ns, &wait_ns));
    now_ns += 1LL * S;
    assert_true(throttle_mutate(t, &client, 1, true, now_ns, &wait_ns));
    now_ns += 3600LL * S; // never more than all windows
    assert_true(throttle_mutate(t, &client, 23, true, now_ns, &wait_ns));
    assert_false(throttle_mutate(t, &client, 1, true, now_ns, &wait_ns));
}

static void waits_are_bounded(void **state)
{
    struct rig *rig = *state;
    struct throttles *t = broker_throttles(rig->broker);
    const struct throttle_who client = who("u", "c");
    quota_set(rig, (struct entity){"u", NULL, NULL}, "request_percentage", 0.001);
    quota_set(rig, (struct entity){"u", NULL, NULL}, "producer_byte_rate", 1);
    assert_int_equal(throttle_add(t, THROTTLE_REQUEST, &client, 1e6, S), S); // one window, as in Kafka
    assert_int_equal(throttle_add(t, THROTTLE_PRODUCE, &client, 1e15, S), 3600LL * S);
}

// More clients than are remembered: the longest silent goes, and those that share a quota lose nothing.
static void clients_are_bounded(void **state)
{
    struct rig *rig = *state;
    struct metrics *metrics = metrics_create();
    struct throttles *t = throttles_create(rig->broker, &few, metrics);
    struct metric *count = metrics_gauge(metrics, "strom_quota_clients", NULL, "");
    int64_t now_ns = 1000LL * S;
    quota_set(rig, (struct entity){NULL, "", NULL}, "producer_byte_rate", 100);
    assert_int_equal(add(t, "u", "busy", 1000, now_ns), 0);
    for (int i = 0; i < 1000; i++) {
        char name[400];
        memset(name, 'n', sizeof name);
        (void)snprintf(name, sizeof name, "c%d", i);
        name[strlen(name)] = i % 2 == 0 ? '\0' : 'n'; // every other one is long, and cut
        name[sizeof name - 1] = '\0';
        assert_int_equal(add(t, "u", name, 1000, now_ns), 0);
        assert_true(add(t, "u", "busy", 1000, now_ns) > 0); // remembered
        assert_true(metric_value(count) <= 3);
    }
    quota_set(rig, (struct entity){"", NULL, NULL}, "producer_byte_rate", 100);
    assert_int_equal(add(t, "u", "first", 1000, now_ns), 0);
    for (int i = 0; i < 10; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "d%d", i);
        assert_true(add(t, "u", name, 1, now_ns) > 0);
    }
    assert_int_equal(metric_value(count), 3);
    assert_true(metric_value(metrics_counter(metrics, "strom_quota_throttled_total",
                                             "quota=\"producer_byte_rate\"", "")) > 1000);
    throttles_destroy(t);
    metrics_destroy(metrics);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(precedence), TEST(sharing), TEST(mutations), TEST(waits_are_bounded), TEST(clients_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
