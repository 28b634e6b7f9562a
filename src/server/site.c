// SPDX-License-Identifier: Apache-2.0
// site.c - the HTTP server's loop, thread and routes.
#include "server/site.h"

#include "base/mem.h"
#include "http/contracts_front.h"
#include "http/http.h"
#include "http/registry_front.h"
#include "server/admin.h"
#include "server/schemas_topic.h"

struct site {
    struct env *env;
    struct loop *loop;
    struct thread *thread; // NULL: not started
    struct broker_port *port;
    struct admin *admin;
    struct registry_front *registry;
    struct schemas_topic *schemas;
    struct contracts_front *contracts;
    struct govern *govern;
    struct http_route *routes;
    struct http_server *http;
    struct task stop;
};

static struct http_routes routes_join(struct site *site)
{
    const struct http_routes parts[] = {registry_front_routes(site->registry), admin_routes(site->admin),
                                        contracts_front_routes(site->contracts)};
    enum { PARTS = sizeof parts / sizeof *parts };
    size_t count = 0;
    for (size_t i = 0; i < PARTS; i++) {
        count += parts[i].count;
    }
    site->routes = mem_array(count, sizeof *site->routes);
    count = 0;
    for (size_t i = 0; i < PARTS; i++) {
        memcpy(site->routes + count, parts[i].routes, parts[i].count * sizeof *site->routes);
        count += parts[i].count;
    }
    return (struct http_routes){site->routes, count, parts[0].error_type};
}

struct site *site_create(struct broker *broker, struct metrics *metrics, struct govern *govern)
{
    struct site *site = mem_zalloc(sizeof *site);
    site->env = broker_env(broker);
    site->loop = loop_create(site->env);
    loop_watch(site->loop, metrics, "loop=\"http\"");
    site->port = broker_port_create(broker, site->loop);
    site->admin = admin_create(broker, metrics);
    site->govern = govern;
    govern_attach(govern, broker, site->port, STR(STROM_VERSION));
    site->registry = registry_front_create(broker, site->port, govern);
    site->schemas = schemas_topic_create(broker, site->port, govern);
    registry_front_watch(site->registry, schemas_topic_kick, site->schemas);
    site->contracts = contracts_front_create(govern, site->loop);
    site->http = http_server_create(site->loop, metrics, routes_join(site));
    return site;
}

void site_listen(struct site *site, struct sock *take_listener)
{
    http_server_listen(site->http, take_listener);
}

static void site_main(void *arg)
{
    struct site *site = arg;
    loop_run(site->loop);
}

void site_start(struct site *site)
{
    site->thread = thread_start(site->env->threads, "http", site_main, site);
}

static void on_stopped(void *arg)
{
    struct site *site = arg;
    govern_stop(site->govern);
    loop_stop(site->loop);
}

static void on_http_stopped(void *arg)
{
    struct site *site = arg;
    schemas_topic_stop(site->schemas, on_stopped, site);
}

static void on_stop(struct task *task)
{
    struct site *site = (struct site *)(void *)((char *)task - offsetof(struct site, stop));
    contracts_front_stop(site->contracts);
    http_server_stop(site->http, on_http_stopped, site);
}

void site_stop_begin(struct site *site)
{
    if (site == NULL) {
        return;
    }
    if (site->thread == NULL) {
        site_start(site);
    }
    site->stop.run = on_stop;
    loop_post(site->loop, &site->stop);
}

void site_stop_end(struct site *site)
{
    if (site != NULL) {
        thread_join(site->env->threads, site->thread);
    }
}

void site_destroy(struct site *take_web)
{
    struct site *site = take_web;
    if (site == NULL) {
        return;
    }
    http_server_destroy(site->http);
    schemas_topic_destroy(site->schemas);
    registry_front_destroy(site->registry);
    contracts_front_destroy(site->contracts);
    admin_destroy(site->admin);
    broker_port_destroy(site->port);
    loop_destroy(site->loop);
    mem_free(site->routes);
    mem_free(site);
}
