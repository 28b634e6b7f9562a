// SPDX-License-Identifier: Apache-2.0
// formats.c - what checking a payload costs, beside what decoding it costs others: both in one run, in turns,
// the best of many rounds, because ratios of one run are what holds on a shared machine. One line of JSON per
// case.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "format/program.h"

#ifdef BENCH_HAS_LIBAVRO
#include <avro.h>
#endif

enum { ROUNDS = 40, BATCH = 20000 };

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "formats: %s\n", what);
    exit(1);
}

// ---- Avro: an order with 10 fields, 2 items and 2 map entries

static const char order_schema[] =
    "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"shop\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"long\"},{\"name\":\"customer\",\"type\":\"string\"},"
    "{\"name\":\"email\",\"type\":[\"null\",\"string\"]},"
    "{\"name\":\"created\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
    "{\"name\":\"status\",\"type\":{\"type\":\"enum\",\"name\":\"Status\",\"symbols\":[\"NEW\",\"PAID\","
    "\"SENT\"]}},"
    "{\"name\":\"total\",\"type\":\"double\"},{\"name\":\"gift\",\"type\":\"boolean\"},"
    "{\"name\":\"items\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Item\","
    "\"fields\":["
    "{\"name\":\"sku\",\"type\":\"string\"},{\"name\":\"count\",\"type\":\"int\"},"
    "{\"name\":\"price\",\"type\":\"double\"},{\"name\":\"note\",\"type\":[\"null\",\"string\"]}]}}},"
    "{\"name\":\"tags\",\"type\":{\"type\":\"map\",\"values\":\"string\"}},"
    "{\"name\":\"session\",\"type\":{\"type\":\"fixed\",\"name\":\"Session\",\"size\":16}}]}";

static void put_text(struct buf *out, const char *text)
{
    struct str s = str_from_c(text);
    buf_varlong(out, (int64_t)s.len);
    buf_append_str(out, s);
}

static void put_double(struct buf *out, double number)
{
    buf_append(out, &number, sizeof number);
}

static void order_write(struct buf *out)
{
    buf_varlong(out, 8123456);
    put_text(out, "customer-00042");
    buf_varlong(out, 1);
    put_text(out, "someone@example.org");
    buf_varlong(out, 1767225600000);
    buf_varlong(out, 1);
    put_double(out, 129.95);
    buf_u8(out, 0);
    buf_varlong(out, 2);
    for (int i = 0; i < 2; i++) {
        put_text(out, i == 0 ? "SKU-1000" : "SKU-20");
        buf_varlong(out, 3);
        put_double(out, 19.5);
        buf_varlong(out, i);
        if (i == 1) {
            put_text(out, "blue");
        }
    }
    buf_varlong(out, 0);
    buf_varlong(out, 2);
    put_text(out, "channel");
    put_text(out, "web");
    put_text(out, "campaign");
    put_text(out, "spring");
    buf_varlong(out, 0);
    buf_append(out, "0123456789abcdef", 16);
}

static struct program *avro_program(const char *text)
{
    struct schema *schema;
    struct program *program;
    struct error e = {0};
    struct schema_source source = {.format = FORMAT_AVRO, .text = str_from_c(text), .is_new = true};
    if (schema_create(&source, &schema, &e) != ERR_OK ||
        program_create(schema, NULL, 0, &program, &e) != ERR_OK) {
        die(e.text);
    }
    schema_unref(schema);
    return program;
}

static double check_round(const struct program *program, struct bytes payload)
{
    double begin = now_ns();
    for (int i = 0; i < BATCH; i++) {
        if (program_check(program, payload, NULL) != ERR_OK) {
            die("a payload was refused");
        }
        __asm__ volatile("" ::: "memory");
    }
    return (now_ns() - begin) / BATCH;
}

#ifdef BENCH_HAS_LIBAVRO
struct peer {
    avro_schema_t schema;
    avro_value_iface_t *iface;
    avro_value_t value;
};

static void peer_open(struct peer *peer)
{
    if (avro_schema_from_json_length(order_schema, sizeof order_schema - 1, &peer->schema) != 0) {
        die(avro_strerror());
    }
    peer->iface = avro_generic_class_from_schema(peer->schema);
    avro_generic_value_new(peer->iface, &peer->value);
}

// As a program that reads records does it: one value, reset for each.
static double peer_round(struct peer *peer, struct bytes payload)
{
    avro_reader_t reader = avro_reader_memory((const char *)payload.ptr, (int64_t)payload.len);
    double begin = now_ns();
    for (int i = 0; i < BATCH / 10; i++) {
        avro_reader_memory_set_source(reader, (const char *)payload.ptr, (int64_t)payload.len);
        avro_value_reset(&peer->value);
        if (avro_value_read(reader, &peer->value) != 0) {
            die(avro_strerror());
        }
    }
    double spent = (now_ns() - begin) / (BATCH / 10);
    avro_reader_free(reader);
    return spent;
}

static void peer_close(struct peer *peer)
{
    avro_value_decref(&peer->value);
    avro_value_iface_decref(peer->iface);
    avro_schema_decref(peer->schema);
}
#else
struct peer {
    int nothing;
};
static void peer_open(struct peer *peer)
{
    (void)peer;
}
static double peer_round(struct peer *peer, struct bytes payload)
{
    (void)peer;
    (void)payload;
    return 0;
}
static void peer_close(struct peer *peer)
{
    (void)peer;
}
#endif

static void report(const char *name, const char *peer, size_t bytes, double check, double other)
{
    printf("{\"name\":\"%s\",\"bytes\":%zu,\"check_ns\":%.1f,\"peer\":", name, bytes, check);
    if (other > 0) {
        printf("\"%s\",\"peer_ns\":%.1f}\n", peer, other);
    } else {
        printf("null}\n");
    }
}

static void bench_avro(void)
{
    struct buf payload;
    buf_init(&payload, 4096);
    order_write(&payload);
    struct program *program = avro_program(order_schema);
    struct peer peer;
    peer_open(&peer);
    double check = 0;
    double other = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double spent = check_round(program, buf_bytes(&payload));
        check = round == 0 || spent < check ? spent : check;
        spent = peer_round(&peer, buf_bytes(&payload));
        other = round == 0 || spent < other ? spent : other;
    }
    report("Avro, an order of 10 fields, 2 items, 2 map entries", "libavro, generic decode", payload.len,
           check, other);
    peer_close(&peer);
    program_unref(program);
    buf_fini(&payload);
}

int main(void)
{
    bench_avro();
    return 0;
}
