// SPDX-License-Identifier: Apache-2.0
// routes.c - the table of the REST API. A pattern is listed once; the front serves each one below
// /contexts/{context} too, and tells the call which context it was.
#include "registry/registry_private.h"

static const struct registry_route routes[] = {
    {"GET", "/schemas", op_schemas},
    {"GET", "/schemas/types", op_types},
    {"GET", "/schemas/ids/{id}", op_schema_by_id},
    {"GET", "/schemas/ids/{id}/schema", op_schema_text_by_id},
    {"GET", "/schemas/ids/{id}/subjects", op_subjects_of_id},
    {"GET", "/schemas/ids/{id}/versions", op_versions_of_id},
    {"GET", "/schemas/guids/{guid}", op_schema_by_guid},
    {"GET", "/schemas/guids/{guid}/ids", op_ids_of_guid},
    {"GET", "/subjects", op_subjects},
    {"POST", "/subjects/{subject}", op_lookup},
    {"DELETE", "/subjects/{subject}", op_subject_delete},
    {"GET", "/subjects/{subject}/versions", op_versions},
    {"POST", "/subjects/{subject}/versions", op_register},
    {"GET", "/subjects/{subject}/versions/{version}", op_version},
    {"DELETE", "/subjects/{subject}/versions/{version}", op_version_delete},
    {"GET", "/subjects/{subject}/versions/{version}/schema", op_version_text},
    {"GET", "/subjects/{subject}/versions/{version}/referencedby", op_referenced_by},
    {"POST", "/compatibility/subjects/{subject}/versions", op_check_all},
    {"POST", "/compatibility/subjects/{subject}/versions/{version}", op_check_version},

    {"GET", "/config", op_config_get},
    {"PUT", "/config", op_config_put},
    {"DELETE", "/config", op_config_delete},
    {"GET", "/config/{subject}", op_config_get},
    {"PUT", "/config/{subject}", op_config_put},
    {"DELETE", "/config/{subject}", op_config_delete},
    {"GET", "/mode", op_mode_get},
    {"PUT", "/mode", op_mode_put},
    {"DELETE", "/mode", op_mode_delete},
    {"GET", "/mode/{subject}", op_mode_get},
    {"PUT", "/mode/{subject}", op_mode_put},
    {"DELETE", "/mode/{subject}", op_mode_delete},
    {"GET", "/contexts", op_contexts},
    {"DELETE", "/contexts/{context}", op_context_delete},
    {"GET", "/", op_root},
    {"GET", "/v1/metadata/id", op_metadata_id},
    {"GET", "/v1/metadata/version", op_metadata_version},
    {"GET", "/v1/metadata/deployment", op_metadata_deployment},
    {"GET", "/exporters", op_exporters},
    {"POST", "/exporters", op_exporter_none},
    {"GET", "/exporters/{name}", op_exporter_none},
    {"PUT", "/exporters/{name}", op_exporter_none},
    {"DELETE", "/exporters/{name}", op_exporter_none},
    {"GET", "/exporters/{name}/{part}", op_exporter_none},
    {"PUT", "/exporters/{name}/{part}", op_exporter_none},
    {"POST", "/subjects/{subject}/versions/{version}/tags", op_tags},
    {"GET", "/subjects/{subject}/metadata", op_by_metadata},
    {"POST", "/associations", op_associate},
    {"PUT", "/associations", op_associate_or_change},
    {"POST", "/associations:batch", op_associations_batch},
    {"GET", "/associations/subjects/{subject}", op_associations_of_subject},
    {"GET", "/associations/resources/{id}", op_associations_of_id},
    {"POST", "/associations/resources/{id}", op_associate},
    {"PUT", "/associations/resources/{id}", op_associate_or_change},
    {"DELETE", "/associations/resources/{id}", op_dissociate},
    {"GET", "/associations/resources/{namespace}/{name}", op_associations_of_name},
};

const struct registry_route *registry_routes(size_t *ret_count)
{
    *ret_count = sizeof routes / sizeof *routes;
    return routes;
}
