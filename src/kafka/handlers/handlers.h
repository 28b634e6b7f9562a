// SPDX-License-Identifier: Apache-2.0
// handlers.h - one const per API, each in its own file beside this one.
#ifndef KAFKA_HANDLERS_HANDLERS_H
#define KAFKA_HANDLERS_HANDLERS_H

#include "kafka/request.h"

extern const struct api_handler produce_handler;
extern const struct api_handler fetch_handler;
extern const struct api_handler list_offsets_handler;
extern const struct api_handler metadata_handler;
extern const struct api_handler find_coordinator_handler;
extern const struct api_handler join_group_handler;
extern const struct api_handler sync_group_handler;
extern const struct api_handler heartbeat_handler;
extern const struct api_handler leave_group_handler;
extern const struct api_handler offset_commit_handler;
extern const struct api_handler offset_fetch_handler;
extern const struct api_handler describe_groups_handler;
extern const struct api_handler list_groups_handler;
extern const struct api_handler delete_groups_handler;
extern const struct api_handler offset_delete_handler;
extern const struct api_handler consumer_group_heartbeat_handler;
extern const struct api_handler consumer_group_describe_handler;
extern const struct api_handler add_partitions_to_txn_handler;
extern const struct api_handler add_offsets_to_txn_handler;
extern const struct api_handler end_txn_handler;
extern const struct api_handler write_txn_markers_handler;
extern const struct api_handler txn_offset_commit_handler;
extern const struct api_handler describe_transactions_handler;
extern const struct api_handler list_transactions_handler;
extern const struct api_handler api_versions_handler;
extern const struct api_handler create_topics_handler;
extern const struct api_handler delete_topics_handler;
extern const struct api_handler delete_records_handler;
extern const struct api_handler init_producer_id_handler;
extern const struct api_handler offset_for_leader_epoch_handler;
extern const struct api_handler describe_configs_handler;
extern const struct api_handler alter_configs_handler;
extern const struct api_handler create_partitions_handler;
extern const struct api_handler incremental_alter_configs_handler;
extern const struct api_handler describe_cluster_handler;
extern const struct api_handler describe_topic_partitions_handler;
extern const struct api_handler describe_acls_handler;
extern const struct api_handler create_acls_handler;
extern const struct api_handler delete_acls_handler;
extern const struct api_handler describe_log_dirs_handler;
extern const struct api_handler elect_leaders_handler;
extern const struct api_handler alter_partition_reassignments_handler;
extern const struct api_handler list_partition_reassignments_handler;
extern const struct api_handler describe_client_quotas_handler;
extern const struct api_handler alter_client_quotas_handler;
extern const struct api_handler describe_user_scram_credentials_handler;
extern const struct api_handler describe_quorum_handler;
extern const struct api_handler update_features_handler;
extern const struct api_handler describe_producers_handler;
extern const struct api_handler get_telemetry_subscriptions_handler;
extern const struct api_handler push_telemetry_handler;
extern const struct api_handler list_config_resources_handler;

#endif
