// SPDX-License-Identifier: Apache-2.0
#include "runtime/metrics.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int64_t read_answer(void *arg)
{
    return *(int64_t *)arg;
}

static void test_text_format(void **state)
{
    (void)state;
    struct metrics *m = metrics_create();
    struct metric *produce =
        metrics_counter(m, "strom_requests_total", "request=\"Produce\"", "Requests received");
    struct metric *connections = metrics_gauge(m, "strom_connections", NULL, "Open connections");
    struct metric *fetch =
        metrics_counter(m, "strom_requests_total", "request=\"Fetch\"", "Requests received");
    int64_t answer = -42;
    metrics_gauge_fn(m, "strom_answer", NULL, "Asked at scrape time", read_answer, &answer);
    metric_add(produce, 3);
    metric_add(fetch, 4);
    metric_set(connections, 9);
    metric_add(connections, -2);
    assert_int_equal(metric_value(connections), 7);
    struct buf out;
    buf_init(&out, 4096);
    metrics_render(m, &out);
    buf_u8(&out, 0);
    assert_false(out.failed);
    assert_string_equal((char *)out.ptr, "# HELP strom_requests_total Requests received\n"
                                         "# TYPE strom_requests_total counter\n"
                                         "strom_requests_total{request=\"Produce\"} 3\n"
                                         "strom_requests_total{request=\"Fetch\"} 4\n"
                                         "# HELP strom_connections Open connections\n"
                                         "# TYPE strom_connections gauge\n"
                                         "strom_connections 7\n"
                                         "# HELP strom_answer Asked at scrape time\n"
                                         "# TYPE strom_answer gauge\n"
                                         "strom_answer -42\n");
    buf_fini(&out);
    metrics_destroy(m);
    metrics_destroy(NULL);
}

static void test_registering_twice(void **state)
{
    (void)state;
    struct metrics *m = metrics_create();
    char name[] = "strom_x_total"; // equal text, not equal pointers
    struct metric *a = metrics_counter(m, "strom_x_total", "k=\"1\"", "x");
    assert_ptr_equal(metrics_counter(m, name, "k=\"1\"", "x"), a);
    assert_ptr_not_equal(metrics_counter(m, name, "k=\"2\"", "x"), a);
    assert_ptr_not_equal(metrics_counter(m, name, NULL, "x"), a);
    assert_ptr_equal(metrics_counter(m, name, NULL, "x"), metrics_counter(m, name, NULL, "x"));
    struct metric_histogram *h = metrics_histogram(m, "strom_h_seconds", NULL, "h");
    assert_ptr_equal(metrics_histogram(m, "strom_h_seconds", NULL, "h"), h);
    metrics_destroy(m);
}

static void test_histogram_bounds(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *below; // the bucket just under it holds nothing (NULL: there is none)
        const char *in;    // the first bucket that holds it
    } rows[] = {
        {-5, NULL, "le=\"0.000001\"} "},
        {0, NULL, "le=\"0.000001\"} "},
        {1000, NULL, "le=\"0.000001\"} "},
        {1001, "le=\"0.000001\"} ", "le=\"0.000002\"} "},
        {2000, "le=\"0.000001\"} ", "le=\"0.000002\"} "},
        {2001, "le=\"0.000002\"} ", "le=\"0.000004\"} "},
        {1000000000, "le=\"0.524288\"} ", "le=\"1.048576\"} "},
        {67108864000, "le=\"33.554432\"} ", "le=\"67.108864\"} "},
        {67108864001, "le=\"67.108864\"} ", "le=\"+Inf\"} "},
        {INT64_MAX, "le=\"67.108864\"} ", "le=\"+Inf\"} "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct metrics *m = metrics_create();
        metric_observe_ns(metrics_histogram(m, "h", "k=\"v\"", "help"), rows[i].ns);
        struct buf out;
        buf_init(&out, 8192);
        metrics_render(m, &out);
        buf_u8(&out, 0);
        const char *in = strstr((char *)out.ptr, rows[i].in);
        assert_non_null(in);
        assert_int_equal(in[strlen(rows[i].in)], '1');
        if (rows[i].below != NULL) {
            const char *below = strstr((char *)out.ptr, rows[i].below);
            assert_non_null(below);
            assert_int_equal(below[strlen(rows[i].below)], '0');
        }
        buf_fini(&out);
        metrics_destroy(m);
    }
}

static void test_histogram_text(void **state)
{
    (void)state;
    struct metrics *m = metrics_create();
    struct metric_histogram *h = metrics_histogram(m, "strom_sync_seconds", NULL, "Time of a sync");
    metric_observe_ns(h, 500);
    metric_observe_ns(h, 3000);
    metric_observe_ns(h, 2000000000);
    struct buf out;
    buf_init(&out, 8192);
    metrics_render(m, &out);
    buf_u8(&out, 0);
    const char *text = (const char *)out.ptr;
    assert_ptr_equal(strstr(text,
                            "# HELP strom_sync_seconds Time of a sync\n# TYPE strom_sync_seconds histogram\n"
                            "strom_sync_seconds_bucket{le=\"0.000001\"} 1\n"
                            "strom_sync_seconds_bucket{le=\"0.000002\"} 1\n"
                            "strom_sync_seconds_bucket{le=\"0.000004\"} 2\n"),
                     text);
    assert_non_null(strstr(text, "strom_sync_seconds_bucket{le=\"+Inf\"} 3\n"
                                 "strom_sync_seconds_sum 2.000003500\n"
                                 "strom_sync_seconds_count 3\n"));
    buf_fini(&out);
    buf_init(&out, 100); // too small: failed, and nothing past the limit
    metrics_render(m, &out);
    assert_true(out.failed);
    assert_true(out.len <= 100);
    buf_fini(&out);
    metrics_destroy(m);
}

static void collect_groups(void *arg, struct buf *out)
{
    metrics_family(out, "strom_group_lag", "gauge", "Records behind");
    buf_printf(out, "strom_group_lag{group=\"");
    metrics_label(out, *(const struct str *)arg);
    buf_printf(out, "\"} 7\n");
}

static void collectors_come_last(void **state)
{
    (void)state;
    struct metrics *m = metrics_create();
    struct str first = STR("a\\b\"c\nd");
    struct str second = STR("\xc3\xa9 \xe2\x82\xac \xff \xed\xa0\x80 \xc0\x80 \xf0\x9f\x98\x80 \xe2\x82");
    metrics_collector(m, collect_groups, &first);
    metrics_collector(m, collect_groups, &second);
    metrics_gauge(m, "strom_connections", NULL, "Open connections");
    struct buf out;
    buf_init(&out, 4096);
    metrics_render(m, &out);
    buf_u8(&out, 0);
    assert_string_equal((char *)out.ptr, "# HELP strom_connections Open connections\n"
                                         "# TYPE strom_connections gauge\n"
                                         "strom_connections 0\n"
                                         "# HELP strom_group_lag Records behind\n"
                                         "# TYPE strom_group_lag gauge\n"
                                         "strom_group_lag{group=\"a\\\\b\\\"c%0Ad\"} 7\n"
                                         "# HELP strom_group_lag Records behind\n"
                                         "# TYPE strom_group_lag gauge\n"
                                         "strom_group_lag{group=\"\xc3\xa9 \xe2\x82\xac %FF %ED%A0%80 %C0%80 "
                                         "\xf0\x9f\x98\x80 %E2%82\"} 7\n");
    buf_fini(&out);
    metrics_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_format),      cmocka_unit_test(test_registering_twice),
        cmocka_unit_test(test_histogram_bounds), cmocka_unit_test(test_histogram_text),
        cmocka_unit_test(collectors_come_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
