// SPDX-License-Identifier: Apache-2.0
#include "platform/sim/fiber.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifndef WITH_ASAN
#define WITH_ASAN 0
#endif

#if WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// Sanitized frames are several times larger.
enum { STACK_SIZE = (WITH_ASAN ? 1024 : 256) << 10, GUARD_SIZE = 4096, STACKS_KEPT = 512 };

// Stacks are kept for the next world: fresh ones cost two system calls and a page fault per touched page.
static void *stacks[STACKS_KEPT];
static size_t stack_count;

static void *stack_get(void)
{
    if (stack_count > 0) {
        return stacks[--stack_count];
    }
    uint8_t *map = mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    ASSERT(map != MAP_FAILED);
    ASSERT(mprotect(map, GUARD_SIZE, PROT_NONE) == 0);
    return map + GUARD_SIZE;
}

static void stack_put(void *stack)
{
#if WITH_ASAN
    __asan_unpoison_memory_region(stack, STACK_SIZE); // frames that were left behind
#endif
    if (stack_count < STACKS_KEPT) {
        stacks[stack_count++] = stack;
    } else {
        ASSERT(munmap((uint8_t *)stack - GUARD_SIZE, GUARD_SIZE + STACK_SIZE) == 0);
    }
}

void fiber_context_fini(struct fiber_context *context)
{
    stack_put(context->stack);
    context->stack = NULL;
}

#if !defined(FIBER_BY_UCONTEXT)

// sim_stack_switch saves what the System V ABI says a call preserves, and continues on the other stack.
void sim_stack_switch(void **ret_stack_pointer, void *stack_pointer);
__asm__(".text\n"
        ".p2align 4\n"
        ".globl sim_stack_switch\n"
        ".hidden sim_stack_switch\n"
        ".type sim_stack_switch, @function\n"
        "sim_stack_switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size sim_stack_switch, .-sim_stack_switch\n");

void fiber_context_init(struct fiber_context *context, void (*entry)(void))
{
    *context = (struct fiber_context){.stack = stack_get(), .stack_size = STACK_SIZE};
    uintptr_t *top = (uintptr_t *)(void *)((uint8_t *)context->stack + STACK_SIZE);
    // From the top: a zero where entry would find its return address, entry itself, six zeroed registers. The
    // stack is then aligned as the ABI wants it on entry.
    memset(top - 8, 0, 8 * sizeof *top);
    top[-2] = (uintptr_t)entry;
    context->stack_pointer = top - 8;
}

static void machine_switch(struct fiber_context *from, struct fiber_context *to)
{
    sim_stack_switch(&from->stack_pointer, to->stack_pointer);
}

#else

void fiber_context_init(struct fiber_context *context, void (*entry)(void))
{
    *context = (struct fiber_context){.stack = stack_get(), .stack_size = STACK_SIZE};
    ASSERT(getcontext(&context->machine) == 0);
    context->machine.uc_stack.ss_sp = context->stack;
    context->machine.uc_stack.ss_size = STACK_SIZE;
    context->machine.uc_link = NULL;
    makecontext(&context->machine, entry, 0);
}

static void machine_switch(struct fiber_context *from, struct fiber_context *to)
{
    ASSERT(swapcontext(&from->machine, &to->machine) == 0);
}

#endif

#if WITH_ASAN

void fiber_context_entered(struct fiber_context *from)
{
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(NULL, &bottom, &size);
    // The stack of the OS thread is known to the sanitizer only.
    from->stack = (void *)(uintptr_t)bottom;
    from->stack_size = size;
}

void fiber_context_switch(struct fiber_context *from, struct fiber_context *to)
{
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_size);
    machine_switch(from, to);
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
}

void fiber_context_leave(struct fiber_context *from, struct fiber_context *to)
{
    __sanitizer_start_switch_fiber(NULL, to->stack, to->stack_size);
    machine_switch(from, to);
    UNREACHABLE("a fiber that left came back");
}

#else

void fiber_context_entered(struct fiber_context *from)
{
    (void)from;
}

void fiber_context_switch(struct fiber_context *from, struct fiber_context *to)
{
    machine_switch(from, to);
}

void fiber_context_leave(struct fiber_context *from, struct fiber_context *to)
{
    machine_switch(from, to);
    UNREACHABLE("a fiber that left came back");
}

#endif
