// SPDX-License-Identifier: Apache-2.0
// UpdateFeatures (key 57, KIP-584, KIP-778). ApiVersions names no features: none can be raised, lowered or
// deleted, and the first wish says why, in Kafka's words.
#include "kafka/handlers/handlers.h"

enum { UPGRADE_TYPE_VERSION_MIN = 1, UPGRADE_TYPE_MIN = 1, UPGRADE_TYPE_MAX = 3 };

static struct str reason(struct request *rq, const struct update_features_request_feature_update *update)
{
    bool is_type_known = update->upgrade_type >= UPGRADE_TYPE_MIN && update->upgrade_type <= UPGRADE_TYPE_MAX;
    if (rq->version >= UPGRADE_TYPE_VERSION_MIN && !is_type_known) {
        return STR("The controller does not support the given upgrade type.");
    }
    if (update->max_version_level < 0) {
        return STR("A feature version cannot be less than 0.");
    }
    if (update->max_version_level == 0) {
        return arena_printf(&rq->arena, "Feature " STR_FMT " not found.", STR_ARG(update->feature));
    }
    return arena_printf(&rq->arena, "Local controller %d does not support this feature.",
                        broker_node_id(rq->broker));
}

static void update_features_handle(struct request *rq)
{
    const struct update_features_request *in = rq->in;
    struct update_features_response *out = rq->out;
    out->error_message = (struct str){NULL, 0};
    if (in->feature_updates_count > 0) {
        const struct update_features_request_feature_update *first = &in->feature_updates[0];
        out->error = ERR_INVALID_UPDATE_VERSION;
        out->error_message = arena_printf(
            &rq->arena,
            "The update failed for all features since the following feature had an error: Invalid update "
            "version %d for feature " STR_FMT ". " STR_FMT,
            first->max_version_level, STR_ARG(first->feature), STR_ARG(reason(rq, first)));
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler update_features_handler = {.key = API_UPDATE_FEATURES,
                                                    .handle = update_features_handle};
