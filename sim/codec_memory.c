// SPDX-License-Identifier: Apache-2.0
// codec_memory.c - a killed process gives back everything it held through mem_*. The contexts of zstd and lz4
// come from malloc, so the linker routes their making here (--wrap), to the variants that take an allocator.
#define ZSTD_STATIC_LINKING_ONLY
#define LZ4F_STATIC_LINKING_ONLY
#include <lz4frame.h>
#include <string.h>
#include <zstd.h>

#include "base/mem.h"

ZSTD_DCtx *__wrap_ZSTD_createDCtx(void);
LZ4F_errorCode_t __wrap_LZ4F_createDecompressionContext(LZ4F_dctx **ret_context, unsigned version);

static void *take(void *opaque, size_t size)
{
    (void)opaque;
    return mem_alloc(size);
}

static void *take_zeroed(void *opaque, size_t size)
{
    (void)opaque;
    return mem_zalloc(size);
}

static void give(void *opaque, void *ptr)
{
    (void)opaque;
    mem_free(ptr);
}

ZSTD_DCtx *__wrap_ZSTD_createDCtx(void)
{
    return ZSTD_createDCtx_advanced((ZSTD_customMem){take, give, NULL});
}

LZ4F_errorCode_t __wrap_LZ4F_createDecompressionContext(LZ4F_dctx **ret_context, unsigned version)
{
    const LZ4F_CustomMem memory = {take, take_zeroed, give, NULL};
    *ret_context = LZ4F_createDecompressionContext_advanced(memory, version);
    return *ret_context == NULL ? (LZ4F_errorCode_t)-1 : 0;
}
