// SPDX-License-Identifier: Apache-2.0
// contract_exchange.c - `strom contract export` and `import`: contracts in the words of open standards.
#include "cli/contract_formats.h"
#include "cli/contract_report.h"
#include "cli/yaml_text.h"
#include "platform/real/process.h"

static const struct args_flag export_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    {"as", ARGS_CHOICE, "odcs|asyncapi", "odcs", 0, 0,
     "The Open Data Contract Standard 3.1, or AsyncAPI 3.1."},
    {"format", ARGS_CHOICE, "yaml|json", "yaml", 0, 0, "How it is written."},
};
static const struct args_spec export_spec = {
    .command = "strom contract export",
    .names_usage = "TOPIC",
    .summary = "print the contract of a topic in an open format",
    .text = "Prints what governs the topic as a document of the Open Data Contract Standard or of AsyncAPI. "
            "What the standard has "
            "no word for is kept in its extensions, so that `strom contract import` of an exported ODCS "
            "document gives the same "
            "contract.",
    .examples = "  strom contract export orders > orders.odcs.yaml\n"
                "  strom contract export orders --as asyncapi --format json\n",
    .flags = export_flags,
    .flag_count = sizeof export_flags / sizeof *export_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_TOPIC,
    .is_remote = true,
};
static const struct args_spec import_spec = {
    .command = "strom contract import",
    .names_usage = "FILE",
    .summary = "make a contract file of an ODCS document",
    .text = "Reads a document of the Open Data Contract Standard 3 (YAML or JSON) and prints a file for "
            "`strom contract apply`. "
            "Its properties become a JSON Schema, unless Strom wrote it and the schema came with it; quality "
            "checks of engine "
            "\"strom\" or \"cel\" become rules. Checks of other engines are left out; a line on standard "
            "error counts them.",
    .examples = "  strom contract import orders.odcs.yaml > orders.contract.json\n",
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_FILE,
};

static void export_print(struct registry_client *c, const struct json_value *contract)
{
    struct run *run = c->run;
    const struct json_value *value = json_get(contract, STR("value"));
    struct contract_export x = {.arena = &run->arena,
                                .contract = contract,
                                .server = client_address(run->client),
                                .registry = web_url(c->web)};
    struct schema *schema = NULL;
    struct program *program = NULL;
    if (value != NULL) {
        const struct json_value *inside = json_get(value, STR("schema"));
        struct json_value *body = json_new(&run->arena, JSON_OBJECT);
        json_put_copy(&run->arena, body, "schemaType", json_get(value, STR("schemaType")));
        json_put_copy(&run->arena, body, "references", json_get(value, STR("references")));
        json_put_text(&run->arena, body, "schema",
                      inside->type == JSON_STRING ? inside->text : json_text(run, inside, false));
        schema = schema_of(c, body);
        if (schema != NULL && program_create(schema, NULL, 0, &program, NULL) == ERR_OK) {
            x.program = program;
        }
    }
    bool is_odcs = str_equal(args_text(run->args, "as"), STR("odcs"));
    struct json_value *document = is_odcs ? odcs_export(&x) : asyncapi_export(&x);
    if (str_equal(args_text(run->args, "format"), STR("json"))) {
        buf_append_str(&run->out, json_text(run, document, true));
        buf_u8(&run->out, '\n');
    } else {
        yaml_print(document, &run->out);
    }
    program_unref(program);
    schema_unref(schema);
}

static int export_run(int argc, char **argv)
{
    struct run run;
    struct registry_client c = {0};
    struct json_value *contract = NULL;
    if (run_start(&run, &export_spec, argc, argv) && run_connect(&run) && registry_open(&run, &c) &&
        contract_of_topic(&c, run.args->names[0], &contract)) {
        export_print(&c, contract);
    }
    registry_close(&c);
    return run_finish(&run);
}

static void import(struct run *run)
{
    struct str path = run->args->names[0];
    struct error e = {0};
    struct buf text;
    struct json_value *document = NULL;
    struct json_value *contract = NULL;
    int skipped = 0;
    buf_init(&text, CONTRACT_FILE_BYTES_MAX);
    enum err err = process_file_read(path, &text, &e);
    err = err == ERR_OK ? yaml_parse(buf_str(&text), &run->arena, &document, &e) : err;
    err = err == ERR_OK ? odcs_import(document, &run->arena, &contract, &skipped, &e) : err;
    if (err == ERR_OK) {
        buf_append_str(&run->out, json_text(run, contract, true));
        buf_u8(&run->out, '\n');
    } else {
        run_fail(run, run_print(run, "cannot import " STR_FMT, STR_ARG(path)).ptr, err, &e,
                 text.len > 0 ? "it takes a document of the Open Data Contract Standard, YAML or JSON"
                              : NULL);
    }
    if (skipped > 0) {
        run_note("strom: %d quality check%s of other engines left out", skipped, skipped == 1 ? "" : "s");
    }
    buf_fini(&text);
}

static int import_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &import_spec, argc, argv)) {
        import(&run);
    }
    return run_finish(&run);
}

const struct cli_command contract_export_command = {
    .name = "export", .spec = &export_spec, .run = export_run};
const struct cli_command contract_import_command = {
    .name = "import", .spec = &import_spec, .run = import_run};
