// SPDX-License-Identifier: Apache-2.0
// contract_report.h - how the outcome of a trial is shown.
#ifndef CLI_CONTRACT_REPORT_H
#define CLI_CONTRACT_REPORT_H

#include "cli/contract_trial.h"

// What the contract's rules mean for whoever binds it: those that are left to clients, or never apply.
void trial_remarks_text(const struct trial *trial, struct buf *out);
void trial_remarks_json(const struct trial *trial, struct json *json); // a member of an object
void trial_report_text(const struct trial *trial, struct buf *out);
void trial_report_json(const struct trial *trial, struct json *json);
// One test case for each rule and path that found something, as CI servers read it. That nothing was tried is
// a failure, unless it may be.
void trial_report_junit(const struct trial *trial, bool may_be_empty, struct buf *out);

// contract_of_topic makes the contract file of a governed topic, as `strom contract get` prints it. false
// after saying why not.
bool contract_of_topic(struct registry_client *c, struct str topic, struct json_value **ret);

// contract_remarks_each calls `each` with the remarks on a topic, as /contracts/topics/TOPIC has it: "note:
// ...".
void contract_remarks_each(const struct json_value *topic, void (*each)(struct run *run, struct str text),
                           struct run *run);

extern const struct cli_command contract_test_command;
extern const struct cli_command contract_apply_command;
extern const struct cli_command contract_diff_command;
extern const struct cli_command contract_export_command;
extern const struct cli_command contract_import_command;
extern const struct cli_command contract_status_command;
extern const struct cli_command contract_violations_command;

#endif
