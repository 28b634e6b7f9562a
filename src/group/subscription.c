// SPDX-License-Identifier: Apache-2.0
// subscription.c - the little of the consumer protocol that a coordinator looks at: the topics of a
// subscription. int16 version, an array of topic names, the assignor's data; what follows differs by version.
#include "group/group.h"

bool subscription_each(struct bytes subscription, void (*each)(void *arg, struct str topic_name), void *arg)
{
    struct reader r = reader_init(subscription);
    int16_t version = reader_i16(&r);
    int32_t count = reader_i32(&r);
    bool is_one = version >= 0 && count >= 0;
    for (int32_t i = 0; i < count && is_one && !r.failed; i++) {
        int16_t len = reader_i16(&r);
        is_one = len >= 0;
        const uint8_t *name = reader_take(&r, is_one ? (size_t)len : 0);
        if (is_one && !r.failed) {
            each(arg, (struct str){(const char *)name, (size_t)len});
        }
    }
    int32_t data_len = reader_i32(&r);
    (void)reader_take(&r, data_len < 0 ? 0 : (size_t)data_len);
    return is_one && data_len >= -1 && !r.failed;
}
