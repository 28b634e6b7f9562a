// SPDX-License-Identifier: Apache-2.0
// The heap behind mem_* in a program that holds simulated worlds: malloc with a head that says whose block it
// is, so that a crash can drop everything a process held and a clean end can count what it forgot.
#include "platform/sim/sim_private.h"

#include <stdlib.h>

struct mem_block {
    struct list of_process; // not linked when nobody's
    struct sim_process *owner;
    size_t size;
};
_Static_assert(sizeof(struct mem_block) % _Alignof(max_align_t) == 0, "payload stays aligned");

static struct sim_process *mem_owner;

static void block_link(struct mem_block *block, struct sim_process *owner, size_t size)
{
    block->owner = owner;
    block->size = size;
    if (owner != NULL) {
        list_push_back(&owner->blocks, &block->of_process);
        owner->heap_bytes += size;
        owner->heap_blocks++;
    }
}

static void block_unlink(struct mem_block *block)
{
    if (block->owner != NULL) {
        list_remove(&block->of_process);
        block->owner->heap_bytes -= block->size;
        block->owner->heap_blocks--;
    }
}

static void *block_alloc(struct sim_process *owner, size_t size)
{
    ASSERT(size <= SIZE_MAX - sizeof(struct mem_block));
    struct mem_block *block = malloc(sizeof *block + size);
    ASSERT(block != NULL);
    block_link(block, owner, size);
    return block + 1;
}

static void block_free(void *ptr)
{
    if (ptr != NULL) {
        struct mem_block *block = (struct mem_block *)ptr - 1;
        block_unlink(block);
        free(block);
    }
}

static void *block_realloc(struct sim_process *owner, void *ptr, size_t size)
{
    if (ptr == NULL) {
        return block_alloc(owner, size);
    }
    ASSERT(size <= SIZE_MAX - sizeof(struct mem_block));
    struct mem_block *block = (struct mem_block *)ptr - 1;
    struct sim_process *keeps = block->owner; // a block stays with whom it was made for
    block_unlink(block);
    block = realloc(block, sizeof *block + size);
    ASSERT(block != NULL);
    block_link(block, keeps, size);
    return block + 1;
}

static void *hook_alloc(size_t size)
{
    return block_alloc(mem_owner, size);
}

static void *hook_realloc(void *ptr, size_t size)
{
    return block_realloc(mem_owner, ptr, size);
}

// The hooks must be there before the first allocation of the program, hence the constructor.
__attribute__((constructor)) static void mem_install(void)
{
    static const struct mem_hooks hooks = {hook_alloc, hook_realloc, block_free};
    mem_hooks_set(&hooks);
}

void *sys_zalloc(size_t size)
{
    void *ptr = block_alloc(NULL, size);
    memset(ptr, 0, size);
    return ptr;
}

void *sys_array(size_t count, size_t size)
{
    size_t total;
    ASSERT(!__builtin_mul_overflow(count, size, &total));
    return sys_zalloc(total);
}

void *sys_realloc(void *ptr, size_t size)
{
    return block_realloc(NULL, ptr, size);
}

void sys_free(void *ptr)
{
    block_free(ptr);
}

char *sys_text(struct str text)
{
    char *copy = sys_zalloc(text.len + 1);
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return copy;
}

struct sim_process *mem_owner_swap(struct sim_process *process)
{
    struct sim_process *before = mem_owner;
    mem_owner = process;
    return before;
}

void mem_drop(struct sim_process *process)
{
    while (!list_is_empty(&process->blocks)) {
        block_free(LIST_ENTRY(process->blocks.next, struct mem_block, of_process) + 1);
    }
    ASSERT(process->heap_bytes == 0 && process->heap_blocks == 0);
}
