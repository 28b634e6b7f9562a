// SPDX-License-Identifier: Apache-2.0
// routes.c - the table of the REST API. A pattern is listed once; the front serves each one below
// /contexts/{context} too, and tells the call which context it was.
#include "registry/registry_private.h"

static const struct registry_route routes[] = {
    {"GET", "/schemas/types", op_types},
};

const struct registry_route *registry_routes(size_t *ret_count)
{
    *ret_count = sizeof routes / sizeof *routes;
    return routes;
}
