// SPDX-License-Identifier: Apache-2.0
// What the tests' rig needs of the operating system.
#include "engine/local/test_rig.h"

void rig_dir_remove(const char *dir)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
}
