// SPDX-License-Identifier: Apache-2.0
// The ring of recent events. A line is stored raw and turned into text only when somebody prints it.
#include "platform/sim/sim_private.h"

#include <inttypes.h>
#include <stdarg.h>

enum { LINES_ON_ASSERT = 50 };

static struct sim_world *latest; // whose trace a failing ASSERT prints

static void print_latest(void)
{
    if (latest != NULL) {
        sim_world_print(latest, stderr, LINES_ON_ASSERT);
    }
}

void trace_world_set(struct sim_world *world)
{
    latest = world;
    assert_hook_set(print_latest);
}

void trace_world_gone(struct sim_world *world)
{
    if (latest == world) {
        latest = NULL;
    }
}

static struct trace_line *line_next(struct sim_world *world)
{
    struct trace_line *line = &world->trace[world->trace_count++ % SIM_TRACE_LINES];
    line->now_ns = world->now_ns;
    struct fiber *fiber = fiber_now();
    line->process_id = 0;
    line->fiber[0] = '\0';
    if (fiber != NULL && fiber->world == world) {
        line->process_id = fiber->process->id;
        memcpy(line->fiber, fiber->name, sizeof line->fiber);
    }
    return line;
}

void trace_verb(struct sim_world *world, const char *verb, struct str text, int64_t a, int64_t b)
{
    struct trace_line *line = line_next(world);
    line->verb = verb;
    line->a = a;
    line->b = b;
    size_t len = text.len < sizeof line->text - 1 ? text.len : sizeof line->text - 1;
    if (len > 0) {
        memcpy(line->text, text.ptr, len);
    }
    line->text[len] = '\0';
    world_hash_add(world, (uint64_t)a * 31 + (uint64_t)b);
}

void sim_trace(struct sim_world *world, const char *format, ...)
{
    struct trace_line *line = line_next(world);
    line->verb = NULL;
    va_list args;
    va_start(args, format);
    vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
    world_hash_bytes(world, line->text, strlen(line->text));
}

static const char *process_name(const struct sim_world *world, uint32_t id)
{
    LIST_EACH (node, &world->processes) {
        const struct sim_process *process = LIST_ENTRY(node, struct sim_process, of_world);
        if (process->id == id) {
            return process->name;
        }
    }
    return "world";
}

static void print_fibers(const struct sim_world *world, FILE *out)
{
    LIST_EACH (node, &world->processes) {
        const struct sim_process *process = LIST_ENTRY(node, struct sim_process, of_world);
        LIST_EACH (fiber_node, &process->fibers) {
            const struct fiber *fiber = LIST_ENTRY(fiber_node, struct fiber, of_process);
            const char *why = fiber->is_done             ? "done"
                              : fiber == fiber_now()     ? "running"
                              : fiber->run_index != 0    ? "runnable"
                              : fiber->waits_for == NULL ? "waiting"
                                                         : fiber->waits_for;
            fprintf(out, "  %s/%s #%u: %s", process->name, fiber->name, fiber->id, why);
            if (event_is_set(&fiber->wake)) {
                fprintf(out, " until %.6f s", (double)fiber->wake.node.key / 1e9);
            }
            fputc('\n', out);
        }
    }
}

void sim_world_print(const struct sim_world *world, FILE *out, size_t lines)
{
    fprintf(out, "sim: seed %" PRIu64 ", %.6f s, step %" PRIu64 ", hash %016" PRIx64 "\n", world->seed,
            (double)world->now_ns / 1e9, world->steps, world->hash);
    print_fibers(world, out);
    uint64_t count = world->trace_count < SIM_TRACE_LINES ? world->trace_count : SIM_TRACE_LINES;
    count = count < lines ? count : lines;
    for (uint64_t i = world->trace_count - count; i < world->trace_count; i++) {
        const struct trace_line *line = &world->trace[i % SIM_TRACE_LINES];
        fprintf(out, "%14.6f %s%s%s ", (double)line->now_ns / 1e9, process_name(world, line->process_id),
                line->fiber[0] == '\0' ? "" : "/", line->fiber);
        if (line->verb == NULL) {
            fprintf(out, "%s\n", line->text);
        } else {
            fprintf(out, "%s %s %" PRId64 " %" PRId64 "\n", line->verb, line->text, line->a, line->b);
        }
    }
}
