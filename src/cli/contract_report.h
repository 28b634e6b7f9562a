// SPDX-License-Identifier: Apache-2.0
// contract_report.h - how the outcome of a trial is shown.
#ifndef CLI_CONTRACT_REPORT_H
#define CLI_CONTRACT_REPORT_H

#include "cli/contract_trial.h"

void trial_report_text(const struct trial *trial, struct buf *out);
void trial_report_json(const struct trial *trial, struct json *json);
// One test case for each rule and path that found something, as CI servers read it.
void trial_report_junit(const struct trial *trial, struct buf *out);

extern const struct cli_command contract_test_command;
extern const struct cli_command contract_apply_command;
extern const struct cli_command contract_diff_command;
extern const struct cli_command contract_status_command;
extern const struct cli_command contract_violations_command;

#endif
