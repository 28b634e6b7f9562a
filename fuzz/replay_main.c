// SPDX-License-Identifier: Apache-2.0
// replay_main.c - runs a harness over files without libFuzzer, in every build: saved crashes and corpora
// become tests. Each argument is a file or a directory of files. Without arguments it runs one empty input.
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

enum { PATH_SIZE = 4096, INPUT_SIZE_MAX = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path, long size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || size > INPUT_SIZE_MAX) {
        fprintf(stderr, "%s: cannot read\n", path);
        return 1;
    }
    // Exactly as long as the input, so that a sanitizer sees a read past its end.
    uint8_t *data = mem_alloc((size_t)size + (size == 0));
    size_t got = fread(data, 1, (size_t)size, file);
    fclose(file);
    fprintf(stderr, "%s: %zu bytes\n", path, got);
    LLVMFuzzerTestOneInput(data, got);
    mem_free(data);
    return got == (size_t)size ? 0 : 1;
}

static int replay_directory(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    int failed = count < 0;
    for (int i = 0; i < count; i++) {
        char inner[PATH_SIZE];
        struct stat st;
        int length = snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
        if (length < (int)sizeof inner && stat(inner, &st) == 0 && S_ISREG(st.st_mode)) {
            failed |= replay_file(inner, (long)st.st_size);
        }
        free(entries[i]); // scandir's own memory
    }
    if (count >= 0) {
        free(entries);
    }
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    if (argc == 1) {
        LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    }
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) != 0) {
            fprintf(stderr, "%s: no such file or directory\n", argv[i]);
            failed = 1;
        } else if (S_ISDIR(st.st_mode)) {
            failed |= replay_directory(argv[i]);
        } else {
            failed |= replay_file(argv[i], (long)st.st_size);
        }
    }
    return failed;
}
