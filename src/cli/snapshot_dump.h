// SPDX-License-Identifier: Apache-2.0
// snapshot_dump.h - a snapshot of the core as text (docs/formats/snapshot.md, wal.md "Snapshot file").
#ifndef CLI_SNAPSHOT_DUMP_H
#define CLI_SNAPSHOT_DUMP_H

#include "base/buf.h"
#include "base/error.h"

// snapshot_file_join checks a snapshot file's sums and appends the parts' bytes. ERR_CORRUPT says where; what
// was sound up to there is in out.
enum err snapshot_file_join(struct bytes file, struct buf *out, struct error *e);
// snapshot_dump prints one line per record. ERR_CORRUPT where one does not make sense; what is before was
// printed.
enum err snapshot_dump(struct bytes snapshot, void (*line)(void *arg, struct str text), void *arg,
                       struct error *e);

#endif
