// SPDX-License-Identifier: Apache-2.0
// main.c - strom_sim: runs worlds by seed and says which fail, and how to see one again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/plant.h"
#include "scenario.h"

enum { WORKERS_MAX = 16 };

struct options {
    uint64_t seeds;
    uint64_t first;
    int64_t seconds; // time box; 0 = none
    enum plant plant;
    bool is_local;
    bool is_shared;
    bool is_verbose;
    bool is_twice;
    const char *dump_dir;
    bool is_plants; // run every planted bug
};

static uint64_t current_seed;
static bool current_shared;
static enum plant current_plant;
static char last_failure[200];

static void print_replay(void)
{
    printf("replay: ./dev sim --seeds 1 --first %llu --engine %s%s%s --verbose\n",
           (unsigned long long)current_seed, current_shared ? "shared" : "local",
           current_plant != PLANT_NONE ? " --plant " : "",
           current_plant != PLANT_NONE ? plant_name(current_plant) + 6 : "");
    fflush(stdout);
}

static int64_t now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static bool run_seed(const struct options *o, uint64_t seed, bool is_shared, struct checker_counts *total)
{
    const struct run_options run = {
        .is_verbose = o->is_verbose, .is_shared = is_shared, .dump_dir = o->dump_dir};
    uint64_t hash = 0;
    struct checker_counts counts;
    current_seed = seed;
    current_shared = is_shared;
    bool is_fine = simulate(seed, &run, &hash, &counts, last_failure);
    if (is_fine && (o->is_twice || seed % 100 == 0)) {
        uint64_t again = 0;
        is_fine = simulate(seed, &run, &again, &counts, last_failure);
        if (is_fine && hash != again) {
            printf("seed %llu: not deterministic: two runs gave different traces\n",
                   (unsigned long long)seed);
            is_fine = false;
        }
    }
    total->sent += counts.sent;
    total->acked += counts.acked;
    total->read += counts.read;
    total->states += counts.states;
    total->lookups += counts.lookups;
    total->delivered += counts.delivered;
    total->commits += counts.commits;
    total->rounds += counts.rounds;
    total->stable_reads += counts.stable_reads;
    total->beats += counts.beats;
    total->compacted += counts.compacted;
    total->ruled += counts.ruled;
    total->ruled_refused += counts.ruled_refused;
    total->ruled_letters += counts.ruled_letters;
    total->ruled_tallied += counts.ruled_tallied;
    total->transactions += counts.transactions;
    return is_fine;
}

static int run_seeds(const struct options *o)
{
    struct checker_counts total = {0};
    uint64_t passed = 0;
    uint64_t failed = 0;
    int64_t started_s = now_s();
    plant_set(o->plant);
    current_plant = o->plant;
    for (uint64_t seed = o->first; seed < o->first + o->seeds; seed++) {
        if (o->seconds > 0 && now_s() - started_s >= o->seconds) {
            printf("time box of %lld s reached after %llu seeds\n", (long long)o->seconds,
                   (unsigned long long)(seed - o->first));
            break;
        }
        for (int shared = 0; shared < 2 && (failed == 0 || o->plant == PLANT_NONE); shared++) {
            if (shared ? !o->is_shared : !o->is_local) {
                continue;
            }
            if (run_seed(o, seed, shared, &total)) {
                passed++;
            } else {
                failed++;
                print_replay();
            }
        }
        if (failed > 0 && (o->plant != PLANT_NONE || failed >= 5)) {
            break;
        }
    }
    printf(
        "%llu records sent, %llu acknowledged, %llu read, %llu states and %llu look-ups by time compared, in "
        "%lld s\n",
        (unsigned long long)total.sent, (unsigned long long)total.acked, (unsigned long long)total.read,
        (unsigned long long)total.states, (unsigned long long)total.lookups,
        (long long)(now_s() - started_s));
    printf("groups: %llu records delivered, %llu offsets committed, %llu generations\n",
           (unsigned long long)total.delivered, (unsigned long long)total.commits,
           (unsigned long long)total.rounds);
    printf("transactions: %llu ended, %llu records of them read or left out\n",
           (unsigned long long)total.transactions, (unsigned long long)total.stable_reads);
    printf("consumer protocol: %llu partitions given\n", (unsigned long long)total.beats);
    printf("compaction: %llu records not found again\n", (unsigned long long)total.compacted);
    printf("contracts: %llu batches kept, %llu refused, %llu records set aside, %llu times counters add "
           "up\n",
           (unsigned long long)total.ruled, (unsigned long long)total.ruled_refused,
           (unsigned long long)total.ruled_letters, (unsigned long long)total.ruled_tallied);
    printf("%llu passed, %llu failed\n", (unsigned long long)passed, (unsigned long long)failed);
    return failed == 0 ? 0 : 1;
}

// Where a planted bug was found, as its child says.
struct finding {
    uint64_t seed;
    bool is_shared;
    char why[200];
};

static void report(int fd, const char *why)
{
    struct finding f = {.seed = current_seed, .is_shared = current_shared};
    snprintf(f.why, sizeof f.why, "%s", why);
    if (write(fd, &f, sizeof f) != (ssize_t)sizeof f) {
        _exit(3);
    }
}

static int plant_pipe = -1;

static void on_plant_assert(void)
{
    report(plant_pipe, "an assertion");
}

// plant_child runs the seeds with one bug until something notices: the checker, an assertion or a crash.
static void plant_child(struct options o, int fd)
{
    if (!o.is_verbose &&
        (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)) {
        _exit(3);
    }
    plant_pipe = fd;
    assert_hook_set(on_plant_assert);
    int result = run_seeds(&o);
    if (result != 0) {
        report(fd, last_failure);
    }
    _exit(result);
}

static bool plant_run(struct options o)
{
    int fds[2];
    if (pipe(fds) != 0) {
        return false;
    }
    int64_t started_s = now_s();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        plant_child(o, fds[1]);
    }
    close(fds[1]);
    struct finding f = {0};
    bool is_told = read(fds[0], &f, sizeof f) == (ssize_t)sizeof f;
    close(fds[0]);
    int status = 0;
    waitpid(child, &status, 0);
    bool is_found = child > 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0) &&
                    !(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    printf("%s %-28s ", is_found ? "found " : "MISSED", plant_name(o.plant));
    if (is_found && is_told) {
        printf("seed %llu %s, %lld s: %s\n", (unsigned long long)f.seed, f.is_shared ? "shared" : "local",
               (long long)(now_s() - started_s), f.why);
    } else {
        printf("%lld s: %s\n", (long long)(now_s() - started_s), is_found ? "a crash" : plant_text(o.plant));
    }
    return is_found;
}

// plants_share runs every n-th planted bug; returns how many were missed.
static int plants_share(struct options o, int worker, int workers)
{
    int missed = 0;
    for (int plant = 1 + worker; plant < PLANT_COUNT; plant += workers) {
        o.plant = (enum plant)plant;
        missed += !plant_run(o);
        fflush(stdout);
    }
    return missed;
}

static int run_plants(struct options o)
{
#ifndef STROM_PLANTED_BUGS
    (void)o;
    printf("built without -Dplanted_bugs=true\n");
    return 2;
#endif
    long workers = sysconf(_SC_NPROCESSORS_ONLN);
    workers = workers < 1 ? 1 : workers > WORKERS_MAX ? WORKERS_MAX : workers;
    pid_t pids[WORKERS_MAX];
    fflush(stdout);
    for (int worker = 0; worker < workers; worker++) {
        pids[worker] = fork();
        if (pids[worker] == 0) {
            _exit(plants_share(o, worker, (int)workers));
        }
    }
    int missed = 0;
    for (int worker = 0; worker < workers; worker++) {
        int status = 0;
        bool has_ended = pids[worker] > 0 && waitpid(pids[worker], &status, 0) > 0 && WIFEXITED(status);
        missed += has_ended ? WEXITSTATUS(status) : 1;
    }
    printf("%d passed, %d failed\n", PLANT_COUNT - 1 - missed, missed);
    return missed == 0 ? 0 : 1;
}

static void usage(void)
{
    printf("Usage: strom_sim [--seeds N] [--first M] [--seconds S] [--engine local|shared|both]\n"
           "                 [--plant NAME | --plants] [--twice] [--verbose] [--dump DIR]\n"
           "Runs the whole server in N simulated worlds and checks that nothing acknowledged is lost.\n");
}

int main(int argc, char **argv)
{
    struct options o = {.seeds = 100, .first = 1, .is_local = true, .is_shared = true};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--seeds") == 0) {
            o.seeds = strtoull(value, NULL, 10);
            i++;
        } else if (strcmp(argv[i], "--first") == 0) {
            o.first = strtoull(value, NULL, 10);
            i++;
        } else if (strcmp(argv[i], "--seconds") == 0) {
            o.seconds = strtoll(value, NULL, 10);
            i++;
        } else if (strcmp(argv[i], "--plant") == 0) {
            o.plant = plant_find(str_from_c(value));
            i++;
        } else if (strcmp(argv[i], "--dump") == 0) {
            o.dump_dir = value;
            i++;
        } else if (strcmp(argv[i], "--engine") == 0) {
            o.is_local = strcmp(value, "shared") != 0;
            o.is_shared = strcmp(value, "local") != 0;
            i++;
        } else if (strcmp(argv[i], "--plants") == 0) {
            o.is_plants = true;
        } else if (strcmp(argv[i], "--twice") == 0) {
            o.is_twice = true;
        } else if (strcmp(argv[i], "--verbose") == 0) {
            o.is_verbose = true;
        } else {
            usage();
            return strcmp(argv[i], "--help") == 0 ? 0 : 2;
        }
    }
    assert_hook_set(print_replay);
    return o.is_plants ? run_plants(o) : run_seeds(&o);
}
