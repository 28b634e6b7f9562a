// SPDX-License-Identifier: Apache-2.0
// glob.c - globs over full names, run as sets of places in the pattern: so that a name may come in pieces,
// and what was matched so far can be compared.
#include "contract/contract_private.h"

enum { TOKEN_ONE = 256, TOKEN_SEGMENT, TOKEN_ANY, TOKEN_NONE }; // ?, *, **, the end

static bool is_at(const uint64_t *state, uint32_t place)
{
    return (state[place / 64] >> (place % 64) & 1) != 0;
}

static void put(uint64_t *state, uint32_t place)
{
    state[place / 64] |= (uint64_t)1 << (place % 64);
}

// close adds what is reached without a character: * and ** may match none.
static void close(const struct glob *glob, uint64_t *state)
{
    for (uint32_t i = 0; i < glob->token_count; i++) {
        if (is_at(state, i) && (glob->tokens[i] == TOKEN_SEGMENT || glob->tokens[i] == TOKEN_ANY)) {
            put(state, i + 1);
        }
    }
}

bool glob_create(struct str pattern, struct arena *arena, struct glob *ret)
{
    uint16_t *tokens = arena_new(arena, uint16_t, pattern.len + 1);
    uint32_t count = 0;
    for (size_t i = 0; tokens != NULL && i < pattern.len; i++) {
        bool is_double = i + 1 < pattern.len && pattern.ptr[i + 1] == '*';
        uint16_t token = (uint8_t)pattern.ptr[i];
        if (pattern.ptr[i] == '*') {
            token = is_double ? TOKEN_ANY : TOKEN_SEGMENT;
            i += is_double;
            // `**.*` is `**`.
            bool has_tail =
                is_double && i + 2 < pattern.len && pattern.ptr[i + 1] == '.' && pattern.ptr[i + 2] == '*';
            i += has_tail ? 2 : 0;
        } else if (pattern.ptr[i] == '?') {
            token = TOKEN_ONE;
        } else if (pattern.ptr[i] == '\\' && i + 1 < pattern.len) {
            token = (uint8_t)pattern.ptr[++i];
        }
        tokens[count++] = token;
    }
    if (count > GLOB_TOKENS_MAX) {
        return false;
    }
    *ret = (struct glob){
        .tokens = tokens, .token_count = (uint16_t)count, .word_count = (uint16_t)(count / 64 + 1)};
    return true;
}

void glob_start(const struct glob *glob, uint64_t *state)
{
    memset(state, 0, glob->word_count * sizeof *state);
    put(state, 0);
    close(glob, state);
}

static void step(const struct glob *glob, uint64_t *state, uint8_t c)
{
    uint64_t next[GLOB_TOKENS_MAX / 64 + 1] = {0};
    for (uint32_t i = 0; i <= glob->token_count; i++) {
        if (!is_at(state, i)) {
            continue;
        }
        if (i > 0 && glob->tokens[i - 1] == TOKEN_ONE && (c & 0xc0) == 0x80) {
            put(next, i); // the character goes on
        }
        uint16_t token = i < glob->token_count ? glob->tokens[i] : TOKEN_NONE;
        if (token == TOKEN_ANY || (token == TOKEN_SEGMENT && c != '.')) {
            put(next, i);
        } else if (token == c || (token == TOKEN_ONE && c != '.' && (c & 0xc0) != 0x80)) {
            put(next, i + 1);
        }
    }
    close(glob, next);
    memcpy(state, next, glob->word_count * sizeof *state);
}

void glob_step(const struct glob *glob, uint64_t *state, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        step(glob, state, (uint8_t)text.ptr[i]);
    }
}

bool glob_accepts(const struct glob *glob, const uint64_t *state)
{
    return is_at(state, glob->token_count);
}

bool tag_glob_match(const struct glob *glob, struct str text)
{
    uint64_t state[GLOB_TOKENS_MAX / 64 + 1];
    glob_start(glob, state);
    glob_step(glob, state, text);
    return glob_accepts(glob, state);
}
