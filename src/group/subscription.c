// SPDX-License-Identifier: Apache-2.0
// subscription.c - the little of the consumer protocol that a coordinator looks at: the topics of a
// subscription. int16 version, then an array of topic names; what follows differs by version.
#include "group/group.h"

bool subscription_has(struct bytes subscription, struct str topic_name)
{
    struct reader r = reader_init(subscription);
    (void)reader_i16(&r);
    int32_t count = reader_i32(&r);
    for (int32_t i = 0; i < count && !r.failed; i++) {
        int16_t len = reader_i16(&r);
        const uint8_t *name = reader_take(&r, len < 0 ? 0 : (size_t)len);
        if (!r.failed &&
            str_equal((struct str){(const char *)name, (size_t)(len < 0 ? 0 : len)}, topic_name)) {
            return true;
        }
    }
    return false;
}
