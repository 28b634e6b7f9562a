// SPDX-License-Identifier: Apache-2.0
// Settings at start: where they come from, which one wins, and what an error says.
#include "server/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct config config;

static int setup(void **state)
{
    (void)state;
    config_init(&config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    config_fini(&config);
    return 0;
}

static void assert_setting(const char *key, const char *value)
{
    struct str got = config_get(&config, str_from_c(key));
    if (!str_equal(got, str_from_c(value))) {
        fail_msg("%s is '" STR_FMT "', not '%s'", key, STR_ARG(got), value);
    }
}

static void defaults(void **state)
{
    (void)state;
    assert_setting("listeners", "PLAINTEXT://127.0.0.1:9092");
    assert_setting("data.dir", "./strom-data");
    assert_int_equal(config_i64(&config, STR("num.partitions")), 1);
    assert_true(config_bool(&config, STR("auto.create.topics.enable")));
    assert_false(config_bool(&config, STR("strom.listen.unprotected")));
    assert_null(config_get(&config, STR("advertised.listeners")).ptr);
    assert_null(config_get(&config, STR("no.such")).ptr);
}

static void what_goes_together(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"group.consumer.session.timeout.ms=6000", "group.consumer.min.session.timeout.ms=6000"},
        {"group.consumer.session.timeout.ms=70000", "group.consumer.max.session.timeout.ms=70000"},
        {"group.consumer.heartbeat.interval.ms=500", "group.consumer.min.heartbeat.interval.ms=500"},
        {"group.consumer.heartbeat.interval.ms=20000", "group.consumer.max.heartbeat.interval.ms=20000"},
        {"group.consumer.min.session.timeout.ms=65000", "group.consumer.min.session.timeout.ms=40000"},
        {"group.consumer.assignors=range,range", "group.consumer.assignors=range"},
    };
    struct error e = {0};
    assert_int_equal(config_check(&config, &e), ERR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(config_assign(&config, str_from_c(rows[i][0]), STR("t"), &e), ERR_OK);
        assert_int_equal(config_check(&config, &e), ERR_INVALID_CONFIG);
        assert_int_equal(config_assign(&config, str_from_c(rows[i][1]), STR("t"), &e), ERR_OK);
        assert_int_equal(config_check(&config, &e), ERR_OK);
        config_fini(&config);
        config_init(&config);
    }
    static const char both[] = "group.consumer.min.session.timeout.ms=400\n"
                               "group.consumer.session.timeout.ms=5000";
    assert_int_equal(config_parse(&config, str_from_c(both), STR("f"), &e), ERR_OK);
    assert_int_equal(config_check(&config, &e), ERR_INVALID_CONFIG); // no heartbeat within a session
}

static void limits_are_shares_of_the_memory(void **state)
{
    (void)state;
    struct error e = {0};
    assert_int_equal(config_fit(&config, &e), ERR_OK);
    assert_int_equal(config.count, 0); // by default each has its default
    static const char text[] = "strom.memory.max.bytes=134217728\nstrom.groups.bytes.max=99999999";
    assert_int_equal(config_parse(&config, str_from_c(text), STR("f"), &e), ERR_OK);
    assert_int_equal(config_fit(&config, &e), ERR_OK);
    assert_setting("strom.tail.cache.bytes", "16777216");
    assert_setting("strom.groups.bytes.max", "99999999"); // given
    assert_setting("socket.request.max.bytes", "16777216");
    // What apply decides by is kept in the log: it would outlast this process, and what an administrator set.
    for (uint32_t i = 0; i < config.count; i++) {
        assert_false(str_equal(config.entries[i].key, STR("strom.documents.bytes.max")));
    }
}

static void file(void **state)
{
    (void)state;
    struct error e = {0};
    static const char text[] = "# a comment\n! another\n\n  num.partitions = 3 \r\n"
                               "listeners=PLAINTEXT://127.0.0.1:1\nbroker.rack=a=b\nnum.partitions=5";
    assert_int_equal(config_parse(&config, str_from_c(text), STR("f"), &e), ERR_OK);
    assert_setting("num.partitions", "5"); // the last one
    assert_setting("broker.rack", "a=b");
    assert_setting("listeners", "PLAINTEXT://127.0.0.1:1");
    assert_int_equal(config.count, 3);
    for (uint32_t i = 1; i < config.count; i++) {
        assert_true(str_compare(config.entries[i - 1].key, config.entries[i].key) < 0);
    }
}

static void errors_say_where_and_what(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"\n\nnum.partitons=3", "f line 3: there is no setting num.partitons; did you mean num.partitions?"},
        {"quite.something.else=1", "there is no setting quite.something.else"},
        {"strom.http.listeners=x", "did you mean http.listeners?"},
        {"groups.bytes.max=1", "did you mean strom.groups.bytes.max?"},
        {"num.partitions", "expected key=value"},
        {"=3", "expected key=value"},
        {"num.partitions=", "Invalid value  for configuration num.partitions"},
        {"num.partitions=zero", "Not a number"},
        {"num.partitions=0", "at least 1"},
        {"num.partitions=99999999999", "Not a number of type INT"},
        {"strom.log.level=loud", "must be one of"},
        {"delete.topic.enable=yes", "either true or false"},
        {"retention.ms=1", "there is no setting retention.ms"}, // a topic's
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error e = {0};
        assert_int_equal(config_parse(&config, str_from_c(cases[i].text), STR("f"), &e), ERR_INVALID_CONFIG);
        if (strstr(e.text, cases[i].says) == NULL || strncmp(e.text, "f line ", 7) != 0) {
            fail_msg("%s -> %s", cases[i].text, e.text);
        }
    }
    assert_int_equal(config.count, 0);
}

static struct str find_variable(const char *name)
{
    static const char *const variables[][2] = {{"STROM_NUM_PARTITIONS", "7"},
                                               {"STROM_WAL_FILE_BYTES", "2097152"},
                                               {"STROM_DATA_DIR", "/data"},
                                               {"STROM_RETENTION_MS", "1"}}; // a topic's: not looked for
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        if (strcmp(name, variables[i][0]) == 0) {
            return str_from_c(variables[i][1]);
        }
    }
    return (struct str){NULL, 0};
}

static struct str find_bad_variable(const char *name)
{
    return strcmp(name, "STROM_NUM_PARTITIONS") == 0 ? STR("many") : (struct str){NULL, 0};
}

static void environment(void **state)
{
    (void)state;
    struct error e = {0};
    assert_int_equal(config_parse(&config, STR("num.partitions=3\nnode.id=4"), STR("f"), &e), ERR_OK);
    assert_int_equal(config_environment(&config, find_variable, &e), ERR_OK);
    assert_setting("num.partitions", "7"); // over the file
    assert_setting("strom.wal.file.bytes", "2097152");
    assert_setting("data.dir", "/data");
    assert_setting("node.id", "4");
    assert_int_equal(config_assign(&config, STR("num.partitions=9"), STR("--set"), &e), ERR_OK);
    assert_setting("num.partitions", "9"); // over both
    assert_int_equal(config_environment(&config, find_bad_variable, &e), ERR_INVALID_CONFIG);
    assert_non_null(strstr(e.text, "STROM_NUM_PARTITIONS"));
}

// Kafka's files say log.dirs and broker.id: data must not land elsewhere.
static void other_names(void **state)
{
    (void)state;
    struct error e = {0};
    assert_int_equal(config_parse(&config, STR("log.dirs=/kafka\nbroker.id=3"), STR("f"), &e), ERR_OK);
    assert_setting("data.dir", "/kafka");
    assert_int_equal(config_i64(&config, STR("node.id")), 3);
    assert_int_equal(config_assign(&config, STR("data.dir=/mine"), STR("--set"), &e), ERR_OK);
    assert_setting("data.dir", "/mine");
}

static void accepted_spellings_count(void **state)
{
    (void)state;
    struct error e = {0};
    assert_int_equal(config_set(&config, STR("num.partitions"), STR(" 12 "), STR("t"), &e), ERR_OK);
    assert_int_equal(config_i64(&config, STR("num.partitions")), 12);
    assert_int_equal(config_set(&config, STR("strom.listen.unprotected"), STR("True"), STR("t"), &e), ERR_OK);
    assert_true(config_bool(&config, STR("strom.listen.unprotected")));
    assert_int_equal(config_set(&config, STR("delete.topic.enable"), STR(" FALSE"), STR("t"), &e), ERR_OK);
    assert_false(config_bool(&config, STR("delete.topic.enable")));
}

static void endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host; // NULL: refused
        int port;
        bool is_loopback;
    } cases[] = {
        {"PLAINTEXT://127.0.0.1:9092", "127.0.0.1", 9092, true},
        {"127.0.0.1:0", "127.0.0.1", 0, true},
        {"http://[::1]:8081", "::1", 8081, true},
        {" localhost:1 ", "localhost", 1, true},
        {":9092", "", 9092, false},
        {"0.0.0.0:9092", "0.0.0.0", 9092, false},
        {"[::]:9092", "::", 9092, false},
        {"example.org:65535", "example.org", 65535, false},
        {"", NULL, 0, false},
        {"localhost", NULL, 0, false},
        {"localhost:", NULL, 0, false},
        {"localhost:x", NULL, 0, false},
        {"localhost:65536", NULL, 0, false},
        {"localhost:-1", NULL, 0, false},
        {"SSL://localhost:9092", NULL, 0, false},
        {"://localhost:9092", NULL, 0, false},
        {"https://localhost:9092", NULL, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct endpoint endpoint = {{NULL, 0}, 0};
        struct error e = {0};
        enum err err = config_endpoint(str_from_c(cases[i].text), &endpoint, &e);
        bool is_right = cases[i].host == NULL
                            ? err == ERR_INVALID_CONFIG
                            : err == ERR_OK && str_equal(endpoint.host, str_from_c(cases[i].host)) &&
                                  endpoint.port == cases[i].port &&
                                  endpoint_is_loopback(&endpoint) == cases[i].is_loopback;
        if (!is_right) {
            fail_msg("'%s': %s " STR_FMT " %d", cases[i].text, err_name(err), STR_ARG(endpoint.host),
                     endpoint.port);
        }
    }
    // A name that only begins like a loopback address is none.
    struct endpoint endpoint = {STR("127.example.org"), 1};
    assert_false(endpoint_is_loopback(&endpoint));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(what_goes_together, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_are_shares_of_the_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(file, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_say_where_and_what, setup, teardown),
        cmocka_unit_test_setup_teardown(environment, setup, teardown),
        cmocka_unit_test_setup_teardown(other_names, setup, teardown),
        cmocka_unit_test_setup_teardown(accepted_spellings_count, setup, teardown),
        cmocka_unit_test_setup_teardown(endpoints, setup, teardown),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
