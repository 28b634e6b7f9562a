// SPDX-License-Identifier: Apache-2.0
// process.h - what a program needs from the operating system beside the seam: signals, limits, environment,
// its standard streams and its configuration file. Only server/ and cli/ call this; none of it is simulated.
#ifndef PLATFORM_REAL_PROCESS_H
#define PLATFORM_REAL_PROCESS_H

#include "base/buf.h"
#include "base/error.h"

// process_signals_block keeps SIGTERM, SIGINT and SIGHUP from killing the process. Call it first in main:
// threads inherit it.
void process_signals_block(void);
enum process_signal { PROCESS_STOP, PROCESS_RELOAD }; // SIGTERM or SIGINT; SIGHUP
// process_signal_wait blocks until one of the blocked signals comes.
enum process_signal process_signal_wait(void);
// process_signal_raise sends this process a SIGTERM, so that a thread in process_signal_wait comes back.
void process_signal_raise(void);
// process_exit ends the process at once: nothing is flushed, no thread is waited for.
_Noreturn void process_exit(int code);

int64_t process_rss_bytes(void); // resident memory; 0 where it cannot be read
// process_fd_limit_raise lifts the soft limit of open files to the hard one and returns the limit.
int64_t process_fd_limit_raise(void);
int process_cpu_count(void); // CPUs this process may run on, at least 1

// process_env_find looks a variable up; NULL ptr where it is not set. The view lives as long as the process.
struct str process_env_find(const char *name);

enum process_stream { PROCESS_STDIN, PROCESS_STDOUT, PROCESS_STDERR };
bool process_is_tty(enum process_stream stream);
int process_tty_rows(enum process_stream stream); // lines of the terminal; 0 where there is none
// process_write writes all of text. ERR_CLOSED: nobody reads it any more (a closed pipe); ERR_NO_SPACE;
// ERR_IO.
enum err process_write(enum process_stream stream, struct str text, struct error *e);

// process_file_read appends a whole file, of at most what `out` may still hold. ERR_NOT_FOUND, ERR_NO_MEMORY
// (larger than the limit), ERR_IO.
enum err process_file_read(struct str path, struct buf *out, struct error *e);

// Lines of a stream. Owner: one thread.
struct process_lines;
struct process_lines *process_lines_open(enum process_stream stream, size_t line_bytes_max);
// process_lines_next gives the next line without its LF or CR LF, valid until the next call; a last line
// without LF counts. ERR_CLOSED at the end; ERR_NO_MEMORY for a line over the maximum (final); ERR_IO.
enum err process_lines_next(struct process_lines *lines, struct str *ret_line, struct error *e);
void process_lines_close(struct process_lines *take_lines); // leaves the stream open; NULL is a no-op

#endif
