// SPDX-License-Identifier: Apache-2.0
// real.h - the seam over a real Linux kernel: epoll, pread/pwritev, fdatasync, getrandom, pthreads.
// Owner: main, which opens one and passes it down. Thread-safe as far as env.h says.
#ifndef PLATFORM_REAL_REAL_H
#define PLATFORM_REAL_REAL_H

#include "platform/env.h"

// real_env_open makes the world. data_dir is a path of the operating system, created (0750, the last
// component only) if missing; empty means no disk (env->disk is NULL), as clients want it. Ignores SIGPIPE
// process-wide, because sendfile has no flag for that. ERR_IO, ERR_NOT_FOUND (no parent directory),
// ERR_NO_SPACE.
enum err real_env_open(struct str data_dir, struct env **ret_env, struct error *e);
// real_env_close: files, sockets, pollers and threads must be gone. NULL is a no-op.
void real_env_close(struct env *take_env);

// real_net_set_congestion chooses the TCP congestion control ("bbr") of listeners opened from now on and of
// what they accept; "" is the kernel's default. ERR_INVALID_CONFIG where the kernel does not offer it. Not
// thread-safe.
enum err real_net_set_congestion(struct env *env, struct str name, struct error *e);

#endif
