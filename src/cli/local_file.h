// SPDX-License-Identifier: Apache-2.0
// local_file.h - a file named by a path of the operating system, through the seam.
#ifndef CLI_LOCAL_FILE_H
#define CLI_LOCAL_FILE_H

#include "platform/env.h"

struct local_file {
    struct env *env; // rooted at the file's directory, or at the one above if `up` was asked for
    struct file *file;
    struct str name; // below the root; points into the path given
};

// path_exists says whether something can be opened for reading there.
bool path_exists(struct str path);
// local_root_open opens the seam at the directory of `path`: with is_up at the parent of that directory, if
// the path has one. ret->file is NULL. The directory must exist: ERR_NOT_FOUND.
enum err local_root_open(struct str path, bool is_up, struct local_file *ret, struct error *e);
// local_file_open is local_root_open and opens the file for reading.
enum err local_file_open(struct str path, struct local_file *ret, struct error *e);
void local_file_close(struct local_file *f);

#endif
