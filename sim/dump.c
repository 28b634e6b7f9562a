// SPDX-License-Identifier: Apache-2.0
// dump.c - writes what is on a simulated disk into a directory, for `strom dump`.
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "scenario.h"

enum { NUMBERS_MAX = 10000 };

static void dump_file(const struct sim_disk *disk, const char *dir, const char *path)
{
    int64_t size = sim_disk_file_size(disk, str_from_c(path));
    if (size < 0) {
        return;
    }
    char name[512];
    snprintf(name, sizeof name, "%s/%s", dir, path);
    uint8_t *bytes = malloc((size_t)size + 1);
    FILE *out = fopen(name, "wb");
    if (bytes == NULL || out == NULL) {
        printf("cannot write %s\n", name);
        exit(2);
    }
    sim_disk_read(disk, str_from_c(path), 0, bytes, (size_t)size);
    fwrite(bytes, 1, (size_t)size, out);
    fclose(out);
    free(bytes);
}

void dump_disk(const struct sim_disk *disk, const char *dir)
{
    static const char *const places[][2] = {{"wal", "wal"}, {"snap", "snap"}, {"obj", "obj"}};
    mkdir(dir, 0755);
    dump_file(disk, dir, "meta");
    for (int i = 0; i < 3; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", dir, places[i][0]);
        mkdir(path, 0755);
        for (int number = 0; number < NUMBERS_MAX; number++) {
            snprintf(path, sizeof path, "%s/%020d.%s", places[i][0], number, places[i][1]);
            dump_file(disk, dir, path);
        }
    }
}
