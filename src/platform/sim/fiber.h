// SPDX-License-Identifier: Apache-2.0
// fiber.h - stacks and the switch between them. Private to the simulator.
#ifndef PLATFORM_SIM_FIBER_H
#define PLATFORM_SIM_FIBER_H

#include <stddef.h>

#if !defined(__x86_64__) || defined(SIM_FIBER_UCONTEXT)
#define FIBER_BY_UCONTEXT 1
#include <ucontext.h>
#endif

struct fiber_context { // zeroed is the stack of the OS thread
    void *stack;       // lowest usable address
    size_t stack_size;
    void *fake_stack; // AddressSanitizer's
#if !defined(FIBER_BY_UCONTEXT)
    void *stack_pointer;
#else
    ucontext_t machine;
#endif
};

// fiber_context_init takes a stack (pooled, with a guard page below) on which entry will run; entry must not
// return and must call fiber_context_entered first.
void fiber_context_init(struct fiber_context *context, void (*entry)(void));
// fiber_context_fini gives the stack back; whatever ran on it is gone.
void fiber_context_fini(struct fiber_context *context);
// fiber_context_entered completes the first switch to a stack; `from` is where it came from.
void fiber_context_entered(struct fiber_context *from);
void fiber_context_switch(struct fiber_context *from, struct fiber_context *to);
// fiber_context_leave switches away for good.
void fiber_context_leave(struct fiber_context *from, struct fiber_context *to) __attribute__((noreturn));

#endif
