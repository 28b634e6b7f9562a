// SPDX-License-Identifier: Apache-2.0
// handlers.c - everything this front speaks, in one list: ApiVersions advertises exactly these.
#include "kafka/handlers/handlers.h"

static const struct api_handler *const handlers[] = {
    &produce_handler,
    &fetch_handler,
    &list_offsets_handler,
    &metadata_handler,
    &offset_commit_handler,
    &offset_fetch_handler,
    &find_coordinator_handler,
    &join_group_handler,
    &heartbeat_handler,
    &leave_group_handler,
    &sync_group_handler,
    &describe_groups_handler,
    &list_groups_handler,
    &api_versions_handler,
    &create_topics_handler,
    &delete_topics_handler,
    &delete_records_handler,
    &init_producer_id_handler,
    &offset_for_leader_epoch_handler,
    &add_partitions_to_txn_handler,
    &add_offsets_to_txn_handler,
    &end_txn_handler,
    &write_txn_markers_handler,
    &txn_offset_commit_handler,
    &describe_acls_handler,
    &create_acls_handler,
    &delete_acls_handler,
    &describe_configs_handler,
    &alter_configs_handler,
    &describe_log_dirs_handler,
    &create_partitions_handler,
    &delete_groups_handler,
    &elect_leaders_handler,
    &incremental_alter_configs_handler,
    &alter_partition_reassignments_handler,
    &list_partition_reassignments_handler,
    &offset_delete_handler,
    &describe_client_quotas_handler,
    &alter_client_quotas_handler,
    &describe_user_scram_credentials_handler,
    &describe_quorum_handler,
    &update_features_handler,
    &describe_cluster_handler,
    &describe_producers_handler,
    &describe_transactions_handler,
    &list_transactions_handler,
    &consumer_group_heartbeat_handler,
    &consumer_group_describe_handler,
    &get_telemetry_subscriptions_handler,
    &push_telemetry_handler,
    &list_config_resources_handler,
    &describe_topic_partitions_handler,
};

size_t handler_count(void)
{
    return sizeof handlers / sizeof handlers[0];
}

const struct api_handler *handler_at(size_t index)
{
    return handlers[index];
}

const struct api_handler *handler_find(int16_t key)
{
    for (size_t i = 0; i < handler_count(); i++) {
        if ((int16_t)handlers[i]->key == key) {
            return handlers[i];
        }
    }
    return NULL;
}
