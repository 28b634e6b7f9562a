// SPDX-License-Identifier: Apache-2.0
// lines.h - the lines of standard input or of a file, read ahead by a thread, so that who takes them never
// blocks. Owner: the main thread.
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include "platform/env.h"

struct lines;

enum lines_result {
    LINES_LINE,
    LINES_NONE_YET, // wake will be called when there is more
    LINES_END,
    LINES_FAILED,
};

// lines_open starts reading `path`, or standard input if it is "-". wake is called from the thread.
// ERR_NOT_FOUND, ERR_IO.
enum err lines_open(struct env *env, struct str path, size_t line_bytes_max, void (*wake)(void *arg),
                    void *arg, struct lines **ret_lines, struct error *e);
// lines_take gives the next line without its LF or CR LF, valid until the next call. A last line without LF
// counts. LINES_FAILED: e says why (a line over the maximum: ERR_NO_MEMORY); it stays failed.
enum lines_result lines_take(struct lines *lines, struct str *ret_line, struct error *e);
// lines_close ends the thread. false: it hangs in a read of standard input; the thread and what it uses stay
// until the process ends, and `env` must stay open too. wake is not called any more.
bool lines_close(struct lines *take_lines);

#endif
