// SPDX-License-Identifier: Apache-2.0
#include "cli/local_file.h"

#include "base/buf.h"
#include "platform/real/process.h"
#include "platform/real/real.h"

bool path_exists(struct str path)
{
    struct buf none; // a limit of 0: whatever is there is too large, and that is the answer
    buf_init(&none, 0);
    enum err err = process_file_read(path, &none, NULL);
    buf_fini(&none);
    return err == ERR_OK || err == ERR_NO_MEMORY;
}

// path_split cuts off the last component: "a/b/c" is "a/b" and "c"; "c" is "." and "c"; "/c" is "/" and "c".
static struct str path_split(struct str path, struct str *ret_name)
{
    size_t at = path.len;
    while (at > 0 && path.ptr[at - 1] != '/') {
        at--;
    }
    *ret_name = (struct str){path.ptr + at, path.len - at};
    while (at > 1 && path.ptr[at - 1] == '/') {
        at--;
    }
    return at == 0 ? STR(".") : (struct str){path.ptr, at};
}

enum err local_root_open(struct str path, bool is_up, struct local_file *ret, struct error *e)
{
    struct str name;
    struct str root = path_split(path, &name);
    *ret = (struct local_file){.name = name};
    // Opening the seam would make a directory that is not there.
    if (!path_exists(path)) {
        return FAIL(e, ERR_NOT_FOUND, "there is no file " STR_FMT " that can be read", STR_ARG(path));
    }
    if (is_up && root.ptr == path.ptr) {
        struct str folder;
        struct str above = path_split(root, &folder);
        if (folder.len > 0 && folder.ptr[0] != '.') {
            root = above;
            ret->name = (struct str){folder.ptr, (size_t)(path.ptr + path.len - folder.ptr)};
        }
    }
    return real_env_open(root, &ret->env, e);
}

enum err local_file_open(struct str path, struct local_file *ret, struct error *e)
{
    enum err err = local_root_open(path, false, ret, e);
    if (err == ERR_OK) {
        err = disk_open(ret->env->disk, ret->name, DISK_READ, &ret->file, e);
    }
    if (err != ERR_OK) {
        local_file_close(ret);
    }
    return err;
}

void local_file_close(struct local_file *f)
{
    file_close(f->file);
    real_env_close(f->env);
    f->file = NULL;
    f->env = NULL;
}
