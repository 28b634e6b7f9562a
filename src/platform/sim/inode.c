// SPDX-License-Identifier: Apache-2.0
// File contents as two versions of every page: what readers see (live) and what the platter holds (durable).
// Both are references to shared blocks, so that a sync moves pointers, and zeros cost nothing.
#include "platform/sim/sim_private.h"

enum { BLOCKS_KEPT = 16384 };

static struct block *free_blocks;
static size_t free_block_count;

static struct block *block_get(void)
{
    struct block *block = free_blocks;
    if (block != NULL) {
        free_blocks = block->next_free;
        free_block_count--;
    } else {
        // Not zeroed: whoever asks fills it.
        block = sys_realloc(NULL, sizeof *block);
    }
    block->refs = 1;
    block->next_free = NULL;
    return block;
}

static struct block *block_ref(struct block *block)
{
    if (block != NULL) {
        block->refs++;
    }
    return block;
}

static void block_unref(struct block *block)
{
    if (block == NULL || --block->refs > 0) {
        return;
    }
    if (free_block_count < BLOCKS_KEPT) {
        block->next_free = free_blocks;
        free_blocks = block;
        free_block_count++;
    } else {
        sys_free(block);
    }
}

static void block_replace(struct block **slot, struct block *block)
{
    block_ref(block);
    block_unref(*slot);
    *slot = block;
}

// block_own makes *slot a block that nobody else sees, with its contents if they are wanted.
static uint8_t *block_own(struct block **slot, bool wants_contents)
{
    if (*slot != NULL && (*slot)->refs == 1) {
        return (*slot)->data;
    }
    struct block *own = block_get();
    if (wants_contents && *slot == NULL) {
        memset(own->data, 0, SIM_PAGE);
    } else if (wants_contents) {
        memcpy(own->data, (*slot)->data, SIM_PAGE);
    }
    block_unref(*slot);
    *slot = own;
    return own->data;
}

// ---- life

struct inode *inode_create(struct sim_disk *disk)
{
    struct inode *inode = sys_zalloc(sizeof *inode);
    inode->disk = disk;
    inode->id = ++disk->world->file_ids;
    inode->refs = 1;
    list_push_back(&disk->inodes, &inode->of_disk);
    return inode;
}

struct inode *inode_ref(struct inode *inode)
{
    inode->refs++;
    return inode;
}

void inode_unref(struct inode *inode)
{
    if (inode == NULL || --inode->refs > 0) {
        return;
    }
    for (size_t i = 0; i < inode->page_cap; i++) {
        inode->disk->used_pages -= inode->pages[i].is_allocated;
        block_unref(inode->pages[i].live);
        block_unref(inode->pages[i].durable);
    }
    list_remove(&inode->of_disk);
    sys_free(inode->pages);
    sys_free(inode->dirty);
    sys_free(inode);
}

struct inode *inode_clone(struct sim_disk *disk, const struct inode *inode)
{
    struct inode *copy = inode_create(disk);
    copy->size = inode->size;
    copy->durable_size = inode->durable_size;
    copy->page_cap = inode->page_cap;
    copy->pages = sys_array(inode->page_cap, sizeof *copy->pages);
    for (size_t i = 0; i < inode->page_cap; i++) {
        copy->pages[i] = inode->pages[i];
        block_ref(copy->pages[i].live);
        block_ref(copy->pages[i].durable);
        disk->used_pages += copy->pages[i].is_allocated;
    }
    copy->dirty_count = inode->dirty_count;
    copy->dirty_cap = inode->dirty_count;
    copy->dirty = sys_array(inode->dirty_count, sizeof *copy->dirty);
    if (inode->dirty_count > 0) {
        memcpy(copy->dirty, inode->dirty, inode->dirty_count * sizeof *copy->dirty);
    }
    return copy;
}

// ---- pages

static struct page *page_at(struct inode *inode, size_t index)
{
    if (index >= inode->page_cap) {
        size_t cap = inode->page_cap == 0 ? 4 : inode->page_cap * 2;
        cap = cap > index ? cap : index + 1;
        inode->pages = sys_realloc(inode->pages, cap * sizeof *inode->pages);
        memset(inode->pages + inode->page_cap, 0, (cap - inode->page_cap) * sizeof *inode->pages);
        inode->page_cap = cap;
    }
    return &inode->pages[index];
}

static void page_mark_dirty(struct inode *inode, size_t index)
{
    struct page *page = &inode->pages[index];
    if (page->is_dirty) {
        return;
    }
    if (inode->dirty_count == inode->dirty_cap) {
        inode->dirty_cap = inode->dirty_cap == 0 ? 16 : inode->dirty_cap * 2;
        inode->dirty = sys_realloc(inode->dirty, inode->dirty_cap * sizeof *inode->dirty);
    }
    inode->dirty[inode->dirty_count++] = (uint32_t)index;
    page->is_dirty = true;
}

static bool is_zeros(const uint8_t *data)
{
    return data[0] == 0 && memcmp(data, data + 1, SIM_PAGE - 1) == 0;
}

size_t inode_read(const struct inode *inode, int64_t position, void *out, size_t len)
{
    if (position >= inode->size) {
        return 0;
    }
    if ((int64_t)len > inode->size - position) {
        len = (size_t)(inode->size - position);
    }
    size_t done = 0;
    while (done < len) {
        size_t index = (size_t)((position + (int64_t)done) / SIM_PAGE);
        size_t within = (size_t)((position + (int64_t)done) % SIM_PAGE);
        size_t n = SIM_PAGE - within < len - done ? SIM_PAGE - within : len - done;
        const struct block *block = index < inode->page_cap ? inode->pages[index].live : NULL;
        if (block == NULL) {
            memset((uint8_t *)out + done, 0, n);
        } else {
            memcpy((uint8_t *)out + done, block->data + within, n);
        }
        done += n;
    }
    return len;
}

// A place in a list of slices.
struct cursor {
    const struct io_slice *slices;
    size_t count;
    size_t offset; // in the first slice
};

static void cursor_move(struct cursor *cursor, uint8_t *out, size_t len)
{
    while (len > 0) {
        ASSERT(cursor->count > 0);
        size_t left = cursor->slices->len - cursor->offset;
        size_t n = left < len ? left : len;
        if (out != NULL && n > 0) {
            memcpy(out, (const uint8_t *)cursor->slices->ptr + cursor->offset, n);
            out += n;
        }
        cursor->offset += n;
        len -= n;
        if (cursor->offset == cursor->slices->len) {
            cursor->slices++;
            cursor->count--;
            cursor->offset = 0;
        }
    }
}

size_t inode_write(struct inode *inode, int64_t position, const struct io_slice *slices, size_t count,
                   size_t skip, size_t len)
{
    struct sim_disk *disk = inode->disk;
    struct cursor cursor = {slices, count, 0};
    cursor_move(&cursor, NULL, skip);
    size_t done = 0;
    while (done < len) {
        size_t index = (size_t)((position + (int64_t)done) / SIM_PAGE);
        size_t within = (size_t)((position + (int64_t)done) % SIM_PAGE);
        size_t n = SIM_PAGE - within < len - done ? SIM_PAGE - within : len - done;
        struct page *page = page_at(inode, index);
        if (!page->is_allocated) {
            if (disk->used_pages >= disk->capacity_pages) {
                break;
            }
            disk->used_pages++;
            page->is_allocated = true;
        }
        uint8_t *data = block_own(&page->live, n < SIM_PAGE);
        cursor_move(&cursor, data + within, n);
        if (n == SIM_PAGE && is_zeros(data)) {
            block_replace(&page->live, NULL);
        }
        page_mark_dirty(inode, index);
        done += n;
    }
    if (done > 0 && position + (int64_t)done > inode->size) {
        inode->size = position + (int64_t)done;
    }
    return done;
}

// live_cut drops what lies behind `size` from what readers see.
static void live_cut(struct inode *inode, int64_t size)
{
    size_t first = (size_t)((size + SIM_PAGE - 1) / SIM_PAGE);
    for (size_t i = first; i < inode->page_cap; i++) {
        struct page *page = &inode->pages[i];
        if (page->live != NULL) {
            block_replace(&page->live, NULL);
            page_mark_dirty(inode, i);
        }
        inode->disk->used_pages -= page->is_allocated;
        page->is_allocated = false;
    }
    size_t within = (size_t)(size % SIM_PAGE);
    if (within > 0 && first - 1 < inode->page_cap && inode->pages[first - 1].live != NULL) {
        memset(block_own(&inode->pages[first - 1].live, true) + within, 0, SIM_PAGE - within);
        page_mark_dirty(inode, first - 1);
    }
}

void inode_truncate(struct inode *inode, int64_t size)
{
    if (size < inode->size) {
        live_cut(inode, size);
    }
    inode->size = size;
}

// ---- sync

static void page_persist(struct inode *inode, size_t index)
{
    struct sim_world *world = inode->disk->world;
    const struct sim_faults *faults = &inode->disk->faults;
    struct page *page = &inode->pages[index];
    if (sim_chance(world, faults->lost_write)) {
        sim_trace(world, "disk loses a write: file %u page %zu", (unsigned)inode->id, index);
        return;
    }
    if (sim_chance(world, faults->misdirected_write)) {
        size_t other = (size_t)sim_rand(world, inode->page_cap);
        sim_trace(world, "disk misdirects a write: file %u page %zu to %zu", (unsigned)inode->id, index,
                  other);
        block_replace(&inode->pages[other].durable, page->live);
        return;
    }
    block_replace(&page->durable, page->live);
}

void inode_sync(struct inode *inode)
{
    for (size_t i = 0; i < inode->dirty_count; i++) {
        inode->pages[inode->dirty[i]].is_dirty = false;
        page_persist(inode, inode->dirty[i]);
    }
    inode->dirty_count = 0;
    inode->durable_size = inode->size;
}

void inode_sync_some(struct inode *inode)
{
    struct sim_world *world = inode->disk->world;
    for (size_t i = 0; i < inode->dirty_count; i++) {
        if (sim_chance(world, 500)) {
            struct page *page = &inode->pages[inode->dirty[i]];
            block_replace(&page->durable, page->live); // still dirty: another sync writes it again
        }
    }
    if (sim_chance(world, 500)) {
        inode->durable_size = inode->size;
    }
}

// The kernel marks the pages clean whatever became of them, and so the next sync of the file succeeds.
void inode_sync_failed(struct inode *inode)
{
    struct sim_world *world = inode->disk->world;
    const struct sim_faults *faults = &inode->disk->faults;
    for (size_t i = 0; i < inode->dirty_count; i++) {
        struct page *page = &inode->pages[inode->dirty[i]];
        page->is_dirty = false;
        uint64_t dice = sim_rand(world, 1000);
        if (dice < faults->sync_error_drops) {
            block_replace(&page->live, page->durable);
        } else if (dice >= faults->sync_error_drops + faults->sync_error_keeps) {
            block_replace(&page->durable, page->live);
        }
    }
    inode->dirty_count = 0;
}

// ---- power cut and rot

struct tear {
    uint64_t new_permille;
    size_t unit; // bytes that are old or new together
};

static void page_tear(struct inode *inode, struct page *page, const struct tear *tear)
{
    struct sim_world *world = inode->disk->world;
    const struct sim_faults *faults = &inode->disk->faults;
    static const uint8_t zeros[SIM_PAGE];
    const uint8_t *new_data = page->live == NULL ? zeros : page->live->data;
    struct block *torn = NULL;
    block_replace(&torn, page->durable);
    for (size_t at = 0; at < SIM_PAGE; at += tear->unit) {
        uint64_t dice = sim_rand(world, 1000);
        if (dice < faults->crash_zero) {
            memset(block_own(&torn, true) + at, 0, tear->unit);
        } else if (dice < faults->crash_zero + faults->crash_garbage) {
            uint8_t *data = block_own(&torn, true) + at;
            for (size_t i = 0; i < tear->unit; i += sizeof(uint64_t)) {
                uint64_t noise = sim_rand(world, UINT64_MAX);
                memcpy(data + i, &noise, sizeof noise);
            }
        } else if (sim_rand(world, 1000) < tear->new_permille) {
            memcpy(block_own(&torn, true) + at, new_data + at, tear->unit);
        }
    }
    block_replace(&page->live, torn);
    block_unref(torn);
}

static int64_t size_after_crash(struct inode *inode)
{
    struct sim_world *world = inode->disk->world;
    int64_t old = inode->durable_size;
    int64_t new = inode->size;
    switch (sim_rand(world, 3)) {
    case 0:
        return old;
    case 1:
        return new;
    default: // a file that grew by several writes may have any size between
        return new > old ? world_range(world, old, new) : sim_chance(world, 500) ? old : new;
    }
}

void inode_power_cut(struct inode *inode)
{
    struct sim_world *world = inode->disk->world;
    uint64_t style = sim_rand(world, 4);
    struct tear tear = {
        .new_permille = style == 0   ? 0
                        : style == 1 ? 1000
                                     : sim_rand(world, 1001),
        .unit = sim_chance(world, 500) ? SIM_SECTOR : SIM_PAGE,
    };
    int64_t size = size_after_crash(inode);
    for (size_t i = 0; i < inode->page_cap; i++) {
        struct page *page = &inode->pages[i];
        if (page->is_dirty && page->is_allocated) {
            page_tear(inode, page, &tear);
        } else {
            // Kept by a failed sync but never written; or cut off by a truncation, which is all or nothing.
            block_replace(&page->live, page->durable);
        }
    }
    inode->size = size;
    live_cut(inode, size);
    for (size_t i = 0; i < inode->page_cap; i++) {
        struct page *page = &inode->pages[i];
        block_replace(&page->durable, page->live);
        page->is_dirty = false;
        if (page->live != NULL && !page->is_allocated) {
            page->is_allocated = true;
            inode->disk->used_pages++;
        }
    }
    inode->dirty_count = 0;
    inode->durable_size = size;
}

bool inode_rot(struct inode *inode, int64_t position, unsigned bit)
{
    ASSERT(bit < 8);
    if (position < 0 || position >= inode->size) {
        return false;
    }
    struct page *page = page_at(inode, (size_t)(position / SIM_PAGE));
    size_t within = (size_t)(position % SIM_PAGE);
    block_own(&page->live, true)[within] ^= (uint8_t)(1u << bit);
    block_own(&page->durable, true)[within] ^= (uint8_t)(1u << bit);
    return true;
}
