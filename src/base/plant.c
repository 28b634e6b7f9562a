// SPDX-License-Identifier: Apache-2.0
#include "base/plant.h"

#include "base/assert.h"

static enum plant plant_now;

static const struct {
    const char *name;
    const char *text;
} plant_rows[PLANT_COUNT] = {
#define X(name, text) {#name, text},
    PLANT_TABLE(X)
#undef X
};

void plant_set(enum plant plant)
{
    plant_now = plant;
}

#ifdef STROM_PLANTED_BUGS
bool plant_is(enum plant plant)
{
    return plant_now == plant;
}
#endif

enum plant plant_find(struct str name)
{
    for (int i = 0; i < PLANT_COUNT; i++) {
        struct str full = str_from_c(plant_rows[i].name);
        struct str bare = {full.ptr + 6, full.len - 6};
        if (str_equal(name, full) || str_equal(name, bare)) {
            return (enum plant)i;
        }
    }
    return PLANT_NONE;
}

const char *plant_name(enum plant plant)
{
    ASSERT(plant < PLANT_COUNT);
    return plant_rows[plant].name;
}

const char *plant_text(enum plant plant)
{
    ASSERT(plant < PLANT_COUNT);
    return plant_rows[plant].text;
}
