// SPDX-License-Identifier: Apache-2.0
// contract_report.c - what a trial found: a table for people, JSON and JUnit's XML for programs.
#include "cli/contract_report.h"

static const char *fate(enum contract_action action)
{
    switch (action) {
    case CONTRACT_REJECT:
        return "refused";
    case CONTRACT_DEAD_LETTER:
        return "dead-lettered";
    case CONTRACT_MARK:
        return "marked";
    default:
        return "observed";
    }
}

static void counts_text(const struct trial *trial, struct buf *out)
{
    static const enum contract_action actions[] = {CONTRACT_REJECT, CONTRACT_DEAD_LETTER, CONTRACT_MARK,
                                                   CONTRACT_OBSERVE};
    buf_printf(out, "%lld record%s: %lld pass", (long long)trial->counts.records,
               trial->counts.records == 1 ? "" : "s", (long long)trial->counts.actions[CONTRACT_PASS]);
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (trial->counts.actions[actions[i]] > 0) {
            buf_printf(out, ", %lld would be %s", (long long)trial->counts.actions[actions[i]],
                       fate(actions[i]));
        }
    }
    buf_printf(out, "\n");
    if (trial->sampled_of > 0) {
        double low;
        double high;
        trial_bounds(trial, &low, &high);
        buf_printf(out,
                   "A sample: of all, some %lld, %.3g %% to %.3g %% would fail (in 95 of 100 samples).\n",
                   (long long)trial->sampled_of, 100 * low, 100 * high);
    }
}

static struct str place(const struct trial *trial, const struct trial_row *row)
{
    return row->partition < 0
               ? run_print(trial->run, "line %lld", (long long)row->offset)
               : run_print(trial->run, "partition %d offset %lld", row->partition, (long long)row->offset);
}

void trial_remarks_text(const struct trial *trial, struct buf *out)
{
    for (int s = 0; s < SIDE_COUNT; s++) {
        const char *text;
        for (size_t i = 0; trial->own[s] != NULL && (text = contract_remark(trial->own[s], i)) != NULL; i++) {
            buf_printf(out, "note: ");
            text_show(str_from_c(text), out);
            buf_u8(out, '\n');
        }
    }
}

void trial_remarks_json(const struct trial *trial, struct json *json)
{
    json_key(json, "remarks");
    json_object_begin(json);
    for (int s = 0; s < SIDE_COUNT; s++) {
        const char *text;
        if (trial->own[s] == NULL) {
            continue;
        }
        json_key(json, contract_side_names[s]);
        json_array_begin(json);
        for (size_t i = 0; (text = contract_remark(trial->own[s], i)) != NULL; i++) {
            json_str(json, str_from_c(text));
        }
        json_array_end(json);
    }
    json_object_end(json);
}

void trial_report_text(const struct trial *trial, struct buf *out)
{
    static const struct table_column columns[] = {{"RULE", false},     {"PATH", false},  {"FINDINGS", true},
                                                  {"WOULD BE", false}, {"FIRST", false}, {"REASON", false}};
    struct table t;
    counts_text(trial, out);
    if (trial->counts.row_count == 0) {
        return;
    }
    buf_u8(out, '\n');
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < trial->counts.row_count; i++) {
        const struct trial_row *row = &trial->counts.rows[i];
        table_str(&t, row->rule);
        table_str(&t, row->side == SIDE_VALUE ? row->path
                                              : run_print(trial->run, "key " STR_FMT, STR_ARG(row->path)));
        table_i64(&t, row->count);
        table_str(&t, str_from_c(fate(row->action)));
        table_str(&t, place(trial, row));
        table_str(&t, row->reason);
    }
    table_print(&t, out);
    table_fini(&t);
}

void trial_report_json(const struct trial *trial, struct json *json)
{
    json_object_begin(json);
    json_pair_str(json, "topic", trial->file->topic);
    json_pair_i64(json, "records", trial->counts.records);
    json_pair_i64(json, "passed", trial->counts.actions[CONTRACT_PASS]);
    json_pair_i64(json, "refused", trial->counts.actions[CONTRACT_REJECT]);
    json_pair_i64(json, "dead_lettered", trial->counts.actions[CONTRACT_DEAD_LETTER]);
    json_pair_i64(json, "marked", trial->counts.actions[CONTRACT_MARK]);
    json_pair_i64(json, "observed", trial->counts.actions[CONTRACT_OBSERVE]);
    if (trial->sampled_of > 0) {
        double low;
        double high;
        trial_bounds(trial, &low, &high);
        json_pair_i64(json, "sampled_of", trial->sampled_of);
        json_key(json, "failed_share_low");
        json_f64(json, low);
        json_key(json, "failed_share_high");
        json_f64(json, high);
    }
    json_key(json, "findings");
    json_array_begin(json);
    for (size_t i = 0; i < trial->counts.row_count; i++) {
        const struct trial_row *row = &trial->counts.rows[i];
        json_object_begin(json);
        json_pair_str(json, "rule", row->rule);
        json_pair_str(json, "side", str_from_c(contract_side_names[row->side]));
        json_pair_str(json, "path", row->path);
        json_pair_i64(json, "count", row->count);
        json_pair_str(json, "action", str_from_c(contract_action_name(row->action)));
        if (row->partition >= 0) {
            json_pair_i64(json, "partition", row->partition);
        }
        json_pair_i64(json, row->partition < 0 ? "line" : "offset", row->offset);
        json_pair_str(json, "reason", row->reason);
        json_object_end(json);
    }
    json_array_end(json);
    json_object_end(json);
}

static void xml_text(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '<' || c == '>' || c == '&' || c == '"') {
            buf_printf(out, "&#%d;", c);
        } else {
            buf_u8(out, c < 0x20 ? ' ' : c);
        }
    }
}

void trial_report_junit(const struct trial *trial, bool may_be_empty, struct buf *out)
{
    bool has_rows = trial->counts.row_count > 0;
    bool is_empty = trial->counts.records == 0 && !may_be_empty;
    buf_printf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"");
    xml_text(trial->file->topic, out);
    buf_printf(out, "\" tests=\"%zu\" failures=\"%zu\">\n", has_rows ? trial->counts.row_count : 1,
               trial->counts.row_count + is_empty);
    if (is_empty) {
        buf_printf(
            out,
            "  <testcase classname=\"contract\" name=\"records\"><failure message=\"there is no record to "
            "test\"/></testcase>\n");
    } else if (!has_rows) {
        buf_printf(out, "  <testcase classname=\"contract\" name=\"%lld records keep the contract\"/>\n",
                   (long long)trial->counts.records);
    }
    for (size_t i = 0; i < trial->counts.row_count; i++) {
        const struct trial_row *row = &trial->counts.rows[i];
        buf_printf(out, "  <testcase classname=\"contract.%s\" name=\"", contract_side_names[row->side]);
        xml_text(row->rule, out);
        buf_u8(out, ' ');
        xml_text(row->path, out);
        buf_printf(out, "\"><failure message=\"%lld of %lld records; first: ", (long long)row->count,
                   (long long)trial->counts.records);
        xml_text(place(trial, row), out);
        buf_printf(out, "\">");
        xml_text(row->reason, out);
        buf_printf(out, "</failure></testcase>\n");
    }
    buf_printf(out, "</testsuite>\n");
}
