// SPDX-License-Identifier: Apache-2.0
// govern.c - the whole of it: made before the broker, attached to it, and the registry's one door.
#include "govern/govern.h"

#include "base/mem.h"
#include "govern/govern_private.h"

static const struct core *view_begin(void *arg)
{
    return broker_view_begin(((struct govern *)arg)->broker);
}

static void view_end(void *arg)
{
    broker_view_end(((struct govern *)arg)->broker);
}

struct govern *govern_create(struct env *env, struct metrics *metrics)
{
    struct govern *g = mem_zalloc(sizeof *g);
    g->env = env;
    mutex_init(&g->registry_lock, env->threads);
    binds_init(g);
    namings_init(&g->namings, env);
    remarks_init(&g->remarks);
    cache_init(&g->cache, env);
    samples_init(&g->samples, env);
    metrics_collector(metrics, counts_collect, g);
    g->loads = metrics_counter(metrics, "strom_contract_loads_total", NULL,
                               "Topics, subjects, schemas and contracts loaded for judging records");
    g->load_failures = metrics_counter(metrics, "strom_contract_load_failures_total", NULL,
                                       "Loads of what cannot be used: their records are refused");
    g->remarked = metrics_counter(metrics, "strom_contract_remark_compilations_total", NULL,
                                  "Contracts compiled to say what binding means for their rules");
    return g;
}

// Loads one and makes room for the loop's other work.
static void on_load(struct task *task)
{
    struct govern *g = (struct govern *)(void *)((char *)task - offsetof(struct govern, load));
    if (cache_load_next(g)) {
        loop_post(g->loop, &g->load);
    }
}

void govern_attach(struct govern *g, struct broker *broker, struct broker_port *port, struct str version)
{
    const struct registry_host host = {
        .arg = g,
        .view_begin = view_begin,
        .view_end = view_end,
        .cluster_id = broker_cluster_id(broker),
        .version = version,
        .contract_check = govern_check_registration,
        .standing_check = govern_check_standing,
    };
    g->broker = broker;
    g->port = port;
    g->loop = broker_port_loop(port);
    g->load.run = on_load;
    g->registry = registry_create(&host);
}

void govern_stop(struct govern *g)
{
    binds_stop(g);
    namings_stop(g);
    cache_stop(&g->cache);
}

void govern_destroy(struct govern *take_govern)
{
    struct govern *g = take_govern;
    if (g == NULL) {
        return;
    }
    registry_destroy(g->registry);
    bindings_fini(&g->bindings);
    remarks_fini(&g->remarks);
    namings_fini(&g->namings);
    cache_fini(&g->cache);
    samples_fini(&g->samples);
    mutex_fini(&g->binds_lock);
    mutex_fini(&g->registry_lock);
    mem_free(g);
}

struct registry *govern_registry_begin(struct govern *g)
{
    mutex_lock(&g->registry_lock);
    return g->registry;
}

void govern_registry_end(struct govern *g)
{
    mutex_unlock(&g->registry_lock);
}

struct broker_policy govern_policy(struct govern *g)
{
    return (struct broker_policy){
        .arg = g, .judge = govern_judge, .settle = govern_settle, .bind = govern_bind};
}
