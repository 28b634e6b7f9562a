// SPDX-License-Identifier: Apache-2.0
// marker.c - the bytes of a marker extent: a pure function of the extent, the same before and after a merge.
#include "base/assert.h"
#include "core/core.h"
#include "record/build.h"

void extent_marker_build(const struct extent *extent, uint8_t ret[MARKER_SIZE])
{
    ASSERT((extent->flags & EXTENT_MARKER) != 0);
    struct buf out;
    buf_init(&out, MARKER_SIZE);
    bool is_commit = (extent->flags & EXTENT_COMMIT) != 0;
    enum err err = batch_marker_build(&out, extent->base_offset, extent->max_timestamp, extent->position,
                                      (int16_t)(extent->flags >> 16),
                                      is_commit ? CONTROL_COMMIT : CONTROL_ABORT, 0, NULL);
    ASSERT(err == ERR_OK && out.len == MARKER_SIZE);
    batch_patch(out.ptr, extent->base_offset, extent->leader_epoch);
    memcpy(ret, out.ptr, MARKER_SIZE);
    buf_fini(&out);
}
