// SPDX-License-Identifier: Apache-2.0
#include "platform/real/real.h"

#include <signal.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/real/real_private.h"

const char *real_errno_text(int error, char text[REAL_TEXT_SIZE])
{
    return strerror_r(error, text, REAL_TEXT_SIZE);
}

enum err real_env_open(struct str data_dir, struct env **ret_env, struct error *e)
{
    struct disk *disk = NULL;
    if (data_dir.len > 0) {
        enum err err = real_disk_open(data_dir, &disk, e);
        if (err != ERR_OK) {
            return err;
        }
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    ASSERT(sigaction(SIGPIPE, &ignore, NULL) == 0);
    struct env *env = mem_zalloc(sizeof *env);
    *env = (struct env){
        .clock = real_clock_open(),
        .disk = disk,
        .net = real_net_open(),
        .rng = real_rng_open(),
        .threads = real_threads_open(),
    };
    *ret_env = env;
    return ERR_OK;
}

void real_env_close(struct env *take_env)
{
    if (take_env == NULL) {
        return;
    }
    real_disk_close(take_env->disk);
    real_net_close(take_env->net);
    real_rng_close(take_env->rng);
    real_threads_close(take_env->threads);
    real_clock_close(take_env->clock);
    mem_free(take_env);
}
