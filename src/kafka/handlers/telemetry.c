// SPDX-License-Identifier: Apache-2.0
// GetTelemetrySubscriptions (key 71) and PushTelemetry (key 72), KIP-714. As in Kafka without a plugin that
// takes metrics, they are answered but not listed, so that no client asks. Nothing is subscribed: a client
// gets its instance id, which its application can log and look for, and a subscription without metrics, so
// that it pushes nothing but one goodbye. Nothing is remembered: the subscription id follows from the
// instance id, so that a push of another's, or of an older server's, is recognised.
#include "base/hash.h"
#include "kafka/handlers/handlers.h"

enum {
    PUSH_INTERVAL_MS = 300000,     // as in Kafka without a subscription
    TELEMETRY_BYTES_MAX = 1 << 20, // telemetry.max.bytes there
    COMPRESSION_MAX = 4,           // none, gzip, snappy, lz4, zstd
};

static int32_t subscription_id_of(struct uuid instance)
{
    return (int32_t)(uint32_t)hash64(bytes_of(instance.b, sizeof instance.b), PUSH_INTERVAL_MS);
}

// is_reserved: Kafka keeps 0 and 1 of its ids for itself.
static bool is_reserved(struct uuid id)
{
    id.b[15] &= 0xfe;
    return uuid_is_zero(id);
}

static void get_handle(struct request *rq)
{
    const struct get_telemetry_subscriptions_request *in = rq->in;
    struct get_telemetry_subscriptions_response *out = rq->out;
    static int8_t accepted[] = {CODEC_ZSTD, CODEC_LZ4, CODEC_GZIP, CODEC_SNAPPY}; // best first
    bool is_new = uuid_is_zero(in->client_instance_id);
    out->client_instance_id = is_new ? rng_uuid(broker_env(rq->broker)->rng) : in->client_instance_id;
    out->subscription_id = subscription_id_of(out->client_instance_id);
    out->accepted_compression_types = accepted;
    out->accepted_compression_types_count = sizeof accepted;
    out->push_interval_ms = PUSH_INTERVAL_MS;
    out->telemetry_max_bytes = TELEMETRY_BYTES_MAX;
    out->delta_temporality = true;
    request_reply(rq);
}

static enum err judge_push(const struct push_telemetry_request *in)
{
    if (is_reserved(in->client_instance_id)) {
        return ERR_INVALID_REQUEST;
    }
    if (in->subscription_id != subscription_id_of(in->client_instance_id)) {
        return ERR_UNKNOWN_SUBSCRIPTION_ID;
    }
    if (in->compression_type < 0 || in->compression_type > COMPRESSION_MAX) {
        return ERR_UNSUPPORTED_COMPRESSION;
    }
    return in->metrics.len > TELEMETRY_BYTES_MAX ? ERR_TELEMETRY_TOO_LARGE : ERR_OK;
}

static void push_handle(struct request *rq)
{
    struct push_telemetry_response *out = rq->out;
    out->error = judge_push(rq->in);
    request_reply(rq);
}

const struct api_handler get_telemetry_subscriptions_handler = {
    .key = API_GET_TELEMETRY_SUBSCRIPTIONS, .is_unlisted = true, .handle = get_handle};
const struct api_handler push_telemetry_handler = {
    .key = API_PUSH_TELEMETRY, .is_unlisted = true, .handle = push_handle};
