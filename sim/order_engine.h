// SPDX-License-Identifier: Apache-2.0
// order_engine.h - a third engine, simulated: one order and one object store that several brokers share, each
// lagging behind by its own amount; replies to commits get lost, leases expire in mid-operation. It proves
// that the door (engine/engine.h) fits an engine whose log is somewhere else.
#ifndef SIM_ORDER_ENGINE_H
#define SIM_ORDER_ENGINE_H

#include "engine/engine.h"
#include "platform/sim/sim.h"

struct order_store; // belongs to the world, not to any process
struct order_store *order_store_create(struct sim_world *world);
void order_store_destroy(struct order_store *take_store); // NULL is a no-op
void order_store_heal(struct order_store *store);         // no more lost replies, small lags

struct engine *order_engine_open(struct env *env, struct order_store *store, int broker);

#endif
