// SPDX-License-Identifier: Apache-2.0
// golden_test.c - bytes from Kafka's own encoder (tools/WireGolden.java says how they are made): each message
// of each version decodes in full, and encodes to the very same bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#include "wire/wire.h"

enum { LINE_SIZE = 16384, KEYS = 128, VERSIONS = 32, ARENA_SIZE = 1 << 20 };

static const char *golden_path;

struct golden {
    int key;
    int version;
    bool is_request;
    uint8_t bytes[LINE_SIZE / 2];
    size_t size;
};

static bool golden_parse(const char *line, struct golden *ret)
{
    static char side[16];
    static char hex[LINE_SIZE];
    if (line[0] == '#' || sscanf(line, "%d %15s %d %16383s", &ret->key, side, &ret->version, hex) != 4) {
        return false;
    }
    ret->is_request = strcmp(side, "request") == 0;
    ret->size = 0;
    for (size_t i = 0; hex[0] != '-' && hex[i] != '\0'; i += 2) {
        unsigned byte;
        assert_int_equal(sscanf(hex + i, "%2x", &byte), 1);
        ret->bytes[ret->size++] = (uint8_t)byte;
    }
    return true;
}

static void check(const struct golden *g, const struct wire_api *api, struct arena *arena, struct buf *out)
{
    const struct wire_struct *type = g->is_request ? api->request : api->response;
    int16_t version = (int16_t)g->version;
    bool is_flexible = wire_is_flexible(api, version);
    struct reader r = reader_init((struct bytes){g->bytes, g->size});
    struct error e = {0};
    arena_reset(arena);
    buf_reset(out);
    void *message = wire_new(arena, type, 1);
    if (wire_decode(type, version, is_flexible, &r, arena, message, &e) != ERR_OK || reader_left(&r) != 0) {
        fail_msg("%s: %zu bytes left", e.text, reader_left(&r));
    }
    assert_int_equal(wire_encode(type, version, is_flexible, message, out, NULL, &e), ERR_OK);
    if (!bytes_equal(buf_bytes(out), (struct bytes){g->bytes, g->size})) {
        buf_reset(out);
        wire_print(type, version, message, out);
        fail_msg("%s v%d %s: other bytes for " STR_FMT, api->name, version,
                 g->is_request ? "request" : "response", STR_ARG(buf_str(out)));
    }
}

static void test_kafka_bytes(void **state)
{
    (void)state;
    static struct golden g;
    static char line[LINE_SIZE];
    static int seen[KEYS][VERSIONS][2];
    struct arena arena;
    struct buf out;
    arena_init(&arena, ARENA_SIZE);
    buf_init(&out, ARENA_SIZE);
    FILE *file = fopen(golden_path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        const struct wire_api *api = golden_parse(line, &g) ? wire_api_find((int16_t)g.key) : NULL;
        if (api != NULL && wire_can_decode(api, (int16_t)g.version)) {
            assert_true(g.key < KEYS && g.version < VERSIONS);
            seen[g.key][g.version][g.is_request]++;
            check(&g, api, &arena, &out);
        }
    }
    fclose(file);
    // Each with all fields set, and with defaults.
    for (size_t i = 0; i < wire_api_count(); i++) {
        const struct wire_api *api = wire_api_at(i);
        for (int16_t version = api->decode_min; version <= api->version_max; version++) {
            assert_int_equal(seen[api->key][version][0], 2);
            assert_int_equal(seen[api->key][version][1], 2);
        }
    }
    arena_fini(&arena);
    buf_fini(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kafka_bytes)};
    golden_path = argc > 1 ? argv[1] : "tests/golden/wire_kafka_4.2.1.txt";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
