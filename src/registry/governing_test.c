// SPDX-License-Identifier: Apache-2.0
#include "registry/rig_test.h"

#define ORDER_1 "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"Order\\\",\\\"fields\\\":[]}\"}"
#define ORDER_2                                                                                              \
    "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"Order\\\",\\\"fields\\\":[{\\\"name\\\":"   \
    "\\\"a\\\",\\\"type\\\":\\\"int\\\",\\\"default\\\":0}]}\",\"ruleSet\":{\"domainRules\":[{\"name\":"     \
    "\"r\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"mode\":\"WRITE\",\"expr\":\"message.a > 0\"}]}}"
#define REFERRING                                                                                            \
    "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"Cart\\\",\\\"fields\\\":[{\\\"name\\\":"    \
    "\\\"o\\\",\\\"type\\\":\\\"Order\\\"}]}\",\"references\":[{\"name\":\"Order\",\"subject\":\"orders-"    \
    "value\",\"version\":2}]}"

static struct desk desk;
static struct arena arena;

static int setup(void **state)
{
    (void)state;
    desk_init(&desk);
    arena_init(&arena, REGISTRY_CALL_BYTES_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    desk_fini(&desk);
    return 0;
}

static uint64_t revision_of(struct str key)
{
    const struct document *document = core_document_find(desk.rig.core, key);
    return document == NULL ? 0 : document_revision(document);
}

// The grounds of an answer are what the core would compare them with.
static void assert_ground(const struct registry_ground *ground)
{
    assert_true(ground->revision == revision_of(ground->key));
}

static struct registry_subject subject_of(const char *name)
{
    struct registry_subject subject;
    assert_int_equal(registry_subject_find(desk.registry, str_from_c(name), &arena, &subject, NULL), ERR_OK);
    assert_ground(&subject.grounds[0]);
    assert_ground(&subject.grounds[1]);
    return subject;
}

static void subject_lists_its_versions(void **state)
{
    (void)state;
    struct registry_subject none = subject_of("orders-value");
    assert_int_equal(none.member_count, 0);
    assert_true(none.grounds[0].revision == 0);
    assert_int_equal(ask(&desk, "POST", "/subjects/orders-value/versions", ORDER_1), 200);
    assert_int_equal(ask(&desk, "POST", "/subjects/orders-value/versions", ORDER_2), 200);
    assert_int_equal(ask(&desk, "DELETE", "/subjects/orders-value/versions/1", NULL), 200);
    struct registry_subject subject = subject_of("orders-value");
    assert_int_equal(subject.member_count, 2);
    assert_int_equal(subject.members[0].version, 1);
    assert_true(subject.members[0].is_deleted);
    assert_int_equal(subject.members[1].id, 2);
    assert_int_equal(subject.members[1].format, FORMAT_AVRO);
    assert_true(str_equal(subject.context, STR(".")));
    struct registry_subject bad;
    assert_int_equal(registry_subject_find(desk.registry, STR(""), &arena, &bad, NULL), ERR_INVALID_CONFIG);
}

// What another subject does leaves the grounds alone; whatever happens to this one moves them.
static void grounds_move_with_the_subject_only(void **state)
{
    (void)state;
    ask(&desk, "POST", "/subjects/orders-value/versions", ORDER_1);
    uint64_t before = subject_of("orders-value").grounds[0].revision;
    ask(&desk, "POST", "/subjects/other/versions", ORDER_2);
    assert_true(subject_of("orders-value").grounds[0].revision == before);
    ask(&desk, "DELETE", "/subjects/orders-value/versions/1", NULL);
    assert_true(subject_of("orders-value").grounds[0].revision != before);
}

static void alias_is_followed_and_grounded(void **state)
{
    (void)state;
    ask(&desk, "POST", "/subjects/real/versions", ORDER_1);
    assert_true(subject_of("orders-value").grounds[1].revision == 0);
    assert_int_equal(ask(&desk, "PUT", "/config/orders-value", "{\"alias\":\"real\"}"), 200);
    struct registry_subject subject = subject_of("orders-value");
    assert_true(str_equal(subject.name, STR("real")));
    assert_int_equal(subject.member_count, 1);
    assert_true(str_equal(subject.grounds[1].key, STR("config/orders-value")));
    assert_true(subject.grounds[1].revision > 0);
}

static struct str associated(struct registry_ground *ret_ground, enum err want)
{
    struct str subject;
    enum err err =
        registry_topic_subject(desk.registry, STR("orders"), false, &arena, &subject, ret_ground, NULL);
    assert_int_equal(err, want);
    assert_ground(ret_ground);
    return subject;
}

static void associate(const char *id, const char *space, const char *subject)
{
    char body[400];
    snprintf(
        body, sizeof body,
        "{\"resourceName\":\"orders\",\"resourceNamespace\":\"%s\",\"resourceId\":\"%s\",\"resourceType\":"
        "\"topic\",\"associations\":[{\"subject\":\"%s\",\"associationType\":\"value\"}]}",
        space, id, subject);
    assert_int_equal(ask(&desk, "POST", "/associations", body), 200);
}

static void association_gives_the_subject(void **state)
{
    (void)state;
    struct registry_ground ground;
    ask(&desk, "POST", "/subjects/a/versions", ORDER_1);
    ask(&desk, "POST", "/subjects/b/versions", ORDER_1);
    assert_null(associated(&ground, ERR_OK).ptr);
    assert_true(ground.revision == 0);
    associate("id-1", "elsewhere", "a");
    assert_true(str_equal(associated(&ground, ERR_OK), STR("a")));
    uint64_t before = ground.revision;
    assert_true(before > 0);
    associate("id-2", "cluster-1", "b"); // of this very cluster: it counts before the other
    assert_true(str_equal(associated(&ground, ERR_OK), STR("b")));
    assert_true(ground.revision > before);
    associate("id-3", "cluster-1", "a");
    assert_null(associated(&ground, ERR_INVALID_CONFIG).ptr);
    before = ground.revision;
    assert_int_equal(ask(&desk, "DELETE", "/associations/resources/id-3", NULL), 204);
    assert_true(str_equal(associated(&ground, ERR_OK), STR("b")));
    assert_true(ground.revision > before);
}

static void contract_comes_with_all_it_refers_to(void **state)
{
    (void)state;
    struct registry_contract contract;
    ask(&desk, "POST", "/subjects/orders-value/versions", ORDER_1);
    ask(&desk, "POST", "/subjects/orders-value/versions", ORDER_2);
    assert_int_equal(ask(&desk, "POST", "/subjects/carts-value/versions", REFERRING), 200);
    assert_int_equal(registry_contract_find(desk.registry, STR("carts-value"), 1, &arena, &contract, NULL),
                     ERR_OK);
    assert_int_equal(contract.reference_count, 1);
    assert_true(str_equal(contract.references[0].subject, STR("orders-value")));
    assert_int_equal(contract.references[0].version, 2);
    assert_true(str_has_prefix(contract.references[0].rule_set, STR("{\"domainRules\":[{\"name\":\"r\"")));
    assert_null(contract.part.rule_set.ptr);
    assert_true(str_equal(schema_name(contract.part.schema), STR("Cart")));
    registry_contract_release(&contract);
    assert_int_equal(registry_contract_find(desk.registry, STR("carts-value"), 2, &arena, &contract, NULL),
                     ERR_NOT_FOUND);
}

static void schema_is_found_by_id_and_guid(void **state)
{
    (void)state;
    struct registry_schema schema;
    struct registry_schema_name name = {.id = 1};
    assert_int_equal(registry_schema_find(desk.registry, STR("."), &name, &arena, &schema, NULL), ERR_OK);
    assert_null(schema.schema);
    assert_ground(&schema.ground);
    ask(&desk, "POST", "/subjects/orders-value/versions", ORDER_1);
    assert_int_equal(registry_schema_find(desk.registry, STR("."), &name, &arena, &schema, NULL), ERR_OK);
    assert_true(str_equal(schema_name(schema.schema), STR("Order")));
    assert_ground(&schema.ground);
    assert_true(str_has_prefix(schema.ground.key, STR("schema/./")));
    name = (struct registry_schema_name){.is_guid = true, .guid = schema.guid};
    schema_unref(schema.schema);
    assert_int_equal(registry_schema_find(desk.registry, STR("."), &name, &arena, &schema, NULL), ERR_OK);
    assert_int_equal(schema.id, 1);
    schema_unref(schema.schema);
    name.guid.b[0] ^= 1;
    assert_int_equal(registry_schema_find(desk.registry, STR("."), &name, &arena, &schema, NULL), ERR_OK);
    assert_null(schema.schema);
}

// ---- who governs is asked before a version is registered

static enum err check_refuses(void *arg, const struct registry_contract *contract, struct arena *room,
                              struct registry_before *ret, struct error *e)
{
    (void)arg;
    (void)room;
    (void)ret;
    assert_true(str_equal(contract->part.subject, STR("orders-value")));
    assert_int_equal(contract->part.version, 2);
    return FAIL(e, ERR_INVALID_REQUEST, "rule 'r', line 1, column 9: no such field");
}

static void what_cannot_govern_is_not_registered(void **state)
{
    (void)state;
    ask(&desk, "POST", "/subjects/orders-value/versions", ORDER_1);
    desk.registry->host.contract_check = check_refuses;
    expect(&desk, "POST", "/subjects/orders-value/versions", ORDER_2,
           "{\"error_code\":42210,\"message\":\"rule 'r', line 1, column 9: no such field\"}");
    assert_int_equal(subject_of("orders-value").member_count, 1);
    // What is there already is answered as ever.
    assert_int_equal(ask(&desk, "POST", "/subjects/orders-value/versions", ORDER_1), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(subject_lists_its_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(grounds_move_with_the_subject_only, setup, teardown),
        cmocka_unit_test_setup_teardown(alias_is_followed_and_grounded, setup, teardown),
        cmocka_unit_test_setup_teardown(association_gives_the_subject, setup, teardown),
        cmocka_unit_test_setup_teardown(contract_comes_with_all_it_refers_to, setup, teardown),
        cmocka_unit_test_setup_teardown(schema_is_found_by_id_and_guid, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_govern_is_not_registered, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
