// SPDX-License-Identifier: Apache-2.0
// real_private.h - what the files of platform/real/ share.
#ifndef PLATFORM_REAL_REAL_PRIVATE_H
#define PLATFORM_REAL_REAL_PRIVATE_H

#include "platform/env.h"

enum { REAL_TEXT_SIZE = 96 };

// real_errno_text describes an errno value; thread-safe, the text lives in `text` or is static.
const char *real_errno_text(int error, char text[REAL_TEXT_SIZE]);

struct clock *real_clock_open(void);
void real_clock_close(struct clock *take_clock);

struct rng *real_rng_open(void);
void real_rng_close(struct rng *take_rng);

struct threads *real_threads_open(void);
void real_threads_close(struct threads *take_threads);

enum err real_disk_open(struct str data_dir, struct disk **ret_disk, struct error *e);
void real_disk_close(struct disk *take_disk); // NULL is a no-op
int real_file_fd(struct file *file);

enum { REAL_CONGESTION_SIZE = 16 }; // TCP_CA_NAME_MAX of the kernel
struct real_net {
    struct net base;
    char congestion[REAL_CONGESTION_SIZE]; // "" = the kernel's default
};
struct net *real_net_open(void);
void real_net_close(struct net *take_net);
int real_sock_fd(struct sock *sock);
struct poller *real_poller_open(struct net *net);

#endif
