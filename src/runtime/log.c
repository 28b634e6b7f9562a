// SPDX-License-Identifier: Apache-2.0
// Lines look like "2026-11-23T18:00:00.123Z INFO  text", in UTC. Text from clients cannot forge a line:
// control characters become '?'. A call site that repeats itself more than 1,000 times in a second is cut,
// and the cut is told when it next speaks (or at the end).
#include "runtime/log.h"

#include <stdarg.h>
#include <stdatomic.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    LINE_SIZE = 1024,
    SITE_COUNT = 256, // sites whose texts collide share one allowance
    LINES_PER_WINDOW_MAX = 1000,
    STAMP_SIZE = 32,
};
#define WALL_MS_MAX 253402300799999 // the end of year 9999
#define WINDOW_NS   1000000000

struct trace_site {
    int64_t window; // second since some epoch
    uint32_t lines;
    uint32_t dropped;
    enum trace_level level;
    const char *format; // of the last line dropped
};

struct tracer {
    struct env *env;
    _Atomic(enum trace_level) level;
    void (*write)(void *arg, enum trace_level level, struct str line);
    void *arg;
    struct mutex mutex; // guards sites; never held while writing
    struct trace_site sites[SITE_COUNT];
};

struct tracer *tracer_create(struct env *env, enum trace_level level,
                             void (*write)(void *arg, enum trace_level level, struct str line), void *arg)
{
    struct tracer *t = mem_zalloc(sizeof *t);
    t->env = env;
    atomic_init(&t->level, level);
    t->write = write;
    t->arg = arg;
    mutex_init(&t->mutex, env->threads);
    return t;
}

enum trace_level tracer_level(const struct tracer *t)
{
    return t == NULL ? TRACE_ERROR : atomic_load_explicit(&t->level, memory_order_relaxed);
}

void tracer_level_set(struct tracer *t, enum trace_level level)
{
    if (t != NULL) {
        atomic_store_explicit(&t->level, level, memory_order_relaxed);
    }
}

struct civil {
    int64_t year;
    int month; // 1..12
    int day;   // 1..31
};

// civil_from_days counts in years that begin on 1 March, where the leap day is the last and month lengths
// follow one formula: (153 m + 2) / 5 days lie before month m.
static struct civil civil_from_days(int64_t days_since_1970)
{
    int64_t days = days_since_1970 + 719468; // since 1 March of year 0
    int64_t era = days / 146097;             // of 400 years
    int64_t day_of_era = days % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (int)((5 * day_of_year + 2) / 153);
    int day = (int)(day_of_year - (153 * month_from_march + 2) / 5) + 1;
    int month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return (struct civil){era * 400 + year_of_era + (month <= 2), month, day};
}

static size_t line_start(struct tracer *t, enum trace_level level, char line[LINE_SIZE])
{
    static const char *const names[] = {
        [TRACE_ERROR] = "ERROR", [TRACE_WARN] = "WARN ", [TRACE_INFO] = "INFO ", [TRACE_DEBUG] = "DEBUG"};
    int64_t ms = clock_wall_ms(t->env->clock);
    ms = ms < 0 ? 0 : ms;
    ms = ms > WALL_MS_MAX ? WALL_MS_MAX : ms;
    struct civil date = civil_from_days(ms / 86400000);
    int64_t of_day = ms % 86400000;
    int len = snprintf(line, LINE_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s ", (int)date.year, date.month,
                       date.day, (int)(of_day / 3600000), (int)(of_day / 60000 % 60),
                       (int)(of_day / 1000 % 60), (int)(of_day % 1000), names[level]);
    ASSERT(len > 0 && len <= STAMP_SIZE);
    return (size_t)len;
}

static void line_write(struct tracer *t, enum trace_level level, char line[LINE_SIZE], size_t start,
                       int text_len)
{
    ASSERT(text_len >= 0);
    size_t len = start + (size_t)text_len;
    if (len >= LINE_SIZE) {
        len = LINE_SIZE - 1;
        memcpy(line + len - 3, "...", 3);
    }
    for (size_t i = start; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = '?';
        }
    }
    t->write(t->arg, level, (struct str){line, len});
}

static void dropped_write(struct tracer *t, const struct trace_site *site)
{
    char line[LINE_SIZE];
    size_t start = line_start(t, site->level, line);
    int len = snprintf(line + start, LINE_SIZE - start, "%u more lines like this were left out: %s",
                       site->dropped, site->format);
    line_write(t, site->level, line, start, len);
}

// site_enter says whether this line may be written. *ret_before describes what was left out earlier (dropped
// > 0).
static bool site_enter(struct tracer *t, enum trace_level level, const char *format,
                       struct trace_site *ret_before)
{
    int64_t window = clock_mono_ns(t->env->clock) / WINDOW_NS;
    struct trace_site *site = &t->sites[hash64(bytes_of(format, strlen(format)), 0) % SITE_COUNT];
    *ret_before = (struct trace_site){0};
    mutex_lock(&t->mutex);
    if (site->window != window) {
        *ret_before = *site;
        *site = (struct trace_site){.window = window};
    }
    bool may_write = site->lines < LINES_PER_WINDOW_MAX;
    if (may_write) {
        site->lines++;
    } else {
        site->dropped++;
        site->level = level;
        site->format = format;
    }
    mutex_unlock(&t->mutex);
    return may_write;
}

void trace(struct tracer *t, enum trace_level level, const char *format, ...)
{
    struct trace_site before;
    if (t == NULL || level > tracer_level(t)) {
        return;
    }
    bool may_write = site_enter(t, level, format, &before);
    if (before.dropped > 0) {
        dropped_write(t, &before);
    }
    if (!may_write) {
        return;
    }
    char line[LINE_SIZE];
    size_t start = line_start(t, level, line);
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line + start, LINE_SIZE - start, format, args);
    va_end(args);
    line_write(t, level, line, start, len);
}

void tracer_destroy(struct tracer *take_tracer)
{
    if (take_tracer == NULL) {
        return;
    }
    for (size_t i = 0; i < SITE_COUNT; i++) {
        if (take_tracer->sites[i].dropped > 0) {
            dropped_write(take_tracer, &take_tracer->sites[i]);
        }
    }
    mutex_fini(&take_tracer->mutex);
    mem_free(take_tracer);
}
