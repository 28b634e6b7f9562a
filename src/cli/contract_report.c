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

struct share { // of all records
    double low;
    double high;
};

static struct share share_of(const struct trial *trial, const struct sample_found *found)
{
    struct share share;
    sample_bounds(&trial->size, found, &share.low, &share.high);
    double seen = found->records > 0 ? (double)found->records / (double)trial_records_all(trial) : 0;
    share.low = share.low > seen ? share.low : seen; // those that were found are there
    return share;
}

static int64_t part_of_all(const struct trial *trial, double share)
{
    double part = share * (double)trial_records_all(trial) + 0.5; // rounded
    return part < (double)INT64_MAX ? (int64_t)part : INT64_MAX;
}

static void estimate_text(const struct trial *trial, struct buf *out)
{
    struct share share = share_of(trial, &trial->failed);
    if (trial->failed.records == 0) {
        buf_printf(out, "None of these would fail. Of all records, up to %.3g %% may, some %lld",
                   100 * share.high, (long long)part_of_all(trial, share.high));
    } else {
        buf_printf(out, "Of all records, %.3g %% to %.3g %% would fail, some %lld to %lld", 100 * share.low,
                   100 * share.high, (long long)part_of_all(trial, share.low),
                   (long long)part_of_all(trial, share.high));
    }
    buf_printf(out,
               ": an estimate, right for 95 of 100 samples. What is rare can be missed, and so can a run of "
               "fewer than %lld records.\n",
               (long long)trial->run_seen);
}

static void counts_text(const struct trial *trial, struct buf *out)
{
    static const enum contract_action actions[] = {CONTRACT_REJECT, CONTRACT_DEAD_LETTER, CONTRACT_MARK,
                                                   CONTRACT_OBSERVE};
    buf_printf(out, "%lld ", (long long)trial->counts.records);
    if (trial->is_sample) {
        buf_printf(out, "of some %lld records were judged: ", (long long)trial_records_all(trial));
    } else if (trial->first > 0) {
        buf_printf(out, "of some %lld records were judged, the first ones: ", (long long)trial->offsets);
    } else {
        buf_printf(out, "record%s: ", trial->counts.records == 1 ? "" : "s");
    }
    buf_printf(out, "%lld pass", (long long)trial->counts.actions[CONTRACT_PASS]);
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (trial->counts.actions[actions[i]] > 0) {
            buf_printf(out, ", %lld would be %s", (long long)trial->counts.actions[actions[i]],
                       fate(actions[i]));
        }
    }
    buf_printf(out, "\n");
    if (trial->is_sample) {
        estimate_text(trial, out);
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

static void row_text(const struct trial *trial, const struct trial_row *row, struct table *t)
{
    table_str(t, row->rule);
    table_str(t, row->side == SIDE_VALUE ? row->path
                                         : run_print(trial->run, "key " STR_FMT, STR_ARG(row->path)));
    table_i64(t, row->count);
    if (trial->is_sample) {
        struct share share = share_of(trial, &row->found);
        table_str(t, run_print(trial->run, "%.3g-%.3g %%", 100 * share.low, 100 * share.high));
    }
    table_str(t, str_from_c(fate(row->action)));
    table_str(t, place(trial, row));
    table_str(t, row->reason);
}

void trial_report_text(const struct trial *trial, struct buf *out)
{
    static const struct table_column columns[] = {{"RULE", false},     {"PATH", false},  {"FINDINGS", true},
                                                  {"WOULD BE", false}, {"FIRST", false}, {"REASON", false}};
    static const struct table_column drawn[] = {
        {"RULE", false},     {"PATH", false},       {"IN THE SAMPLE", true}, {"OF ALL", false},
        {"WOULD BE", false}, {"FIRST SEEN", false}, {"REASON", false}};
    struct table t;
    counts_text(trial, out);
    if (trial->counts.row_count == 0) {
        return;
    }
    buf_u8(out, '\n');
    if (trial->is_sample) {
        table_init(&t, drawn, sizeof drawn / sizeof *drawn);
    } else {
        table_init(&t, columns, sizeof columns / sizeof *columns);
    }
    for (size_t i = 0; i < trial->counts.row_count; i++) {
        row_text(trial, &trial->counts.rows[i], &t);
    }
    table_print(&t, out);
    table_fini(&t);
}

static void share_json(struct share share, struct json *json)
{
    json_key(json, "share_low");
    json_f64(json, share.low);
    json_key(json, "share_high");
    json_f64(json, share.high);
}

static void row_json(const struct trial *trial, const struct trial_row *row, struct json *json)
{
    json_object_begin(json);
    json_pair_str(json, "rule", row->rule);
    json_pair_str(json, "side", str_from_c(contract_side_names[row->side]));
    json_pair_str(json, "path", row->path);
    json_pair_i64(json, "count", row->count);
    if (trial->is_sample) {
        json_pair_i64(json, "records", row->found.records);
        share_json(share_of(trial, &row->found), json);
    }
    json_pair_str(json, "action", str_from_c(contract_action_name(row->action)));
    if (row->partition >= 0) {
        json_pair_i64(json, "partition", row->partition);
    }
    json_pair_i64(json, row->partition < 0 ? "line" : "offset", row->offset);
    json_pair_str(json, "reason", row->reason);
    json_object_end(json);
}

static void judged_json(const struct trial *trial, struct json *json)
{
    json_pair_i64(json, "records", trial->counts.records);
    json_pair_i64(json, "passed", trial->counts.actions[CONTRACT_PASS]);
    json_pair_i64(json, "refused", trial->counts.actions[CONTRACT_REJECT]);
    json_pair_i64(json, "dead_lettered", trial->counts.actions[CONTRACT_DEAD_LETTER]);
    json_pair_i64(json, "marked", trial->counts.actions[CONTRACT_MARK]);
    json_pair_i64(json, "observed", trial->counts.actions[CONTRACT_OBSERVE]);
    json_key(json, "findings");
    json_array_begin(json);
    for (size_t i = 0; i < trial->counts.row_count; i++) {
        row_json(trial, &trial->counts.rows[i], json);
    }
    json_array_end(json);
}

// What a sample holds stands in a member of its own: whoever expects counts of the topic does not find them.
void trial_report_json(const struct trial *trial, struct json *json)
{
    json_object_begin(json);
    json_pair_str(json, "topic", trial->file->topic);
    json_pair_bool(json, "exact", !trial->is_sample);
    if (trial->is_sample) {
        struct share share = share_of(trial, &trial->failed);
        json_key(json, "estimate");
        json_object_begin(json);
        json_pair_i64(json, "records_about", trial_records_all(trial));
        share_json(share, json);
        json_pair_i64(json, "failed_low", part_of_all(trial, share.low));
        json_pair_i64(json, "failed_high", part_of_all(trial, share.high));
        json_pair_i64(json, "run_seen", trial->run_seen);
        json_object_end(json);
        json_key(json, "sample");
        json_object_begin(json);
        judged_json(trial, json);
        json_object_end(json);
    } else {
        judged_json(trial, json);
    }
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

static void case_text(const struct trial *trial, const struct trial_row *row, struct buf *out)
{
    buf_printf(out, "  <testcase classname=\"contract.%s\" name=\"", contract_side_names[row->side]);
    xml_text(row->rule, out);
    buf_u8(out, ' ');
    xml_text(row->path, out);
    buf_printf(out, "\"><failure message=\"%lld of %lld records", (long long)row->count,
               (long long)trial->counts.records);
    if (trial->is_sample) {
        struct share share = share_of(trial, &row->found);
        buf_printf(out, " in a sample, %.3g %% to %.3g %% of some %lld", 100 * share.low, 100 * share.high,
                   (long long)trial_records_all(trial));
    }
    buf_printf(out, "; first: ");
    xml_text(place(trial, row), out);
    buf_printf(out, "\">");
    xml_text(row->reason, out);
    buf_printf(out, "</failure></testcase>\n");
}

static void pass_text(const struct trial *trial, struct buf *out)
{
    buf_printf(out, "  <testcase classname=\"contract\" name=\"%lld ", (long long)trial->counts.records);
    if (trial->is_sample) {
        buf_printf(out, "of some %lld records keep the contract; of all, up to %.3g %% may not",
                   (long long)trial_records_all(trial), 100 * share_of(trial, &trial->failed).high);
    } else {
        buf_printf(out, "records keep the contract");
    }
    buf_printf(out, "\"/>\n");
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
        pass_text(trial, out);
    }
    for (size_t i = 0; i < trial->counts.row_count; i++) {
        case_text(trial, &trial->counts.rows[i], out);
    }
    buf_printf(out, "</testsuite>\n");
}
