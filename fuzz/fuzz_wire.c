// SPDX-License-Identifier: Apache-2.0
// fuzz_wire.c - decode, encode, decode again, compare: for every key, version and direction.
// Input: byte 0 chooses the API, byte 1 the version (high bit: response), the rest is the message. With byte
// 0 at 255 the rest is a request frame with its header, as a connection would see it.
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "wire/wire.h"

enum { ARENA_SIZE = 4 << 20, TEXT_SIZE = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct scratch {
    struct arena arena;
    struct buf first;
    struct buf second;
    struct buf text;
    struct buf text_again;
};

// Whatever decodes must encode, and that must decode to the same message. The bytes may differ from the input
// (unknown tags, defaults sent in tags, a true that is not 1), but not from then on.
static void check_message(struct scratch *s, const struct wire_struct *type, int16_t version,
                          bool is_flexible, struct reader r)
{
    void *message = wire_new(&s->arena, type, 1);
    void *back = wire_new(&s->arena, type, 1);
    struct error e = {0};
    if (wire_decode(type, version, is_flexible, &r, &s->arena, message, &e) != ERR_OK) {
        ASSERT(e.code == ERR_MALFORMED || e.code == ERR_NO_MEMORY);
        return;
    }
    ASSERT(s->arena.total <= ARENA_SIZE);
    ASSERT(wire_encode(type, version, is_flexible, message, &s->first, NULL, &e) == ERR_OK);
    struct reader again = reader_init(buf_bytes(&s->first));
    enum err err = wire_decode(type, version, is_flexible, &again, &s->arena, back, &e);
    if (err == ERR_NO_MEMORY) {
        return; // two copies of a large message
    }
    ASSERT(err == ERR_OK && reader_left(&again) == 0);
    ASSERT(wire_encode(type, version, is_flexible, back, &s->second, NULL, &e) == ERR_OK);
    ASSERT(bytes_equal(buf_bytes(&s->first), buf_bytes(&s->second)));
    wire_print(type, version, message, &s->text);
    wire_print(type, version, back, &s->text_again);
    ASSERT(s->text.failed || bytes_equal(buf_bytes(&s->text), buf_bytes(&s->text_again)));
}

static void check_frame(struct scratch *s, struct reader r)
{
    struct wire_request_header header;
    if (wire_request_header_decode(&r, &header) != ERR_OK) {
        return;
    }
    const struct wire_api *api = wire_api_find(header.api_key);
    if (api != NULL && wire_can_decode(api, header.api_version)) {
        check_message(s, api->request, header.api_version, wire_is_flexible(api, header.api_version), r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct scratch s;
    arena_init(&s.arena, ARENA_SIZE);
    buf_init(&s.first, size + 64); // the encoder never needs more than the peer did
    buf_init(&s.second, size + 64);
    buf_init(&s.text, TEXT_SIZE);
    buf_init(&s.text_again, TEXT_SIZE);
    if (data[0] == 255) {
        check_frame(&s, reader_init((struct bytes){data + 1, size - 1}));
    } else {
        const struct wire_api *api = wire_api_find(data[0]);
        api = api != NULL ? api : wire_api_at(data[0] % wire_api_count());
        int16_t version = data[1] & 127;
        if (!wire_can_decode(api, version)) {
            int versions = api->version_max - api->decode_min + 1;
            version = (int16_t)(api->decode_min + version % versions);
        }
        const struct wire_struct *type = (data[1] & 128) != 0 ? api->response : api->request;
        check_message(&s, type, version, wire_is_flexible(api, version),
                      reader_init((struct bytes){data + 2, size - 2}));
    }
    arena_fini(&s.arena);
    buf_fini(&s.first);
    buf_fini(&s.second);
    buf_fini(&s.text);
    buf_fini(&s.text_again);
    return 0;
}
