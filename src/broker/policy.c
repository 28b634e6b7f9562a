// SPDX-License-Identifier: Apache-2.0
#include "broker/policy.h"

#include "broker/broker.h"

void policy_case_wake(struct policy_case *c)
{
    loop_post(broker_port_loop(c->port), &c->wake);
}

void policy_binding_answer(struct policy_binding *binding)
{
    loop_post(binding->loop, &binding->answered);
}

bool policy_slice_is_over(const struct policy_case *c, size_t bytes)
{
    const struct env *env = loop_env(broker_port_loop(c->port));
    return bytes >= POLICY_SLICE_BYTES || clock_mono_ns(env->clock) >= c->slice_until_ns;
}
