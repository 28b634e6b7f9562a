// SPDX-License-Identifier: Apache-2.0
// library_test.c - the libraries of functions, by expressions and what they are; and what they do when the
// budget runs out. The conformance cases (tests/cel/) have the rest.
#include "cel/expression_test.h"

static const struct cel_source plain = {.has_unsigned = true};
#define CHECK(rows) expression_check(&plain, NULL, rows, sizeof(rows) / sizeof((rows)[0]))

static void evaluate(const char *text, uint64_t steps, char ret[EXPRESSION_TEXT_BYTES])
{
    struct cel_source source = plain;
    source.text = str_from_c(text);
    expression_evaluate(&source, NULL, steps, ret);
}

// Each is true, or false.
static void check_all(const char *const *texts, size_t count, const char *format, bool want)
{
    for (size_t i = 0; i < count; i++) {
        char text[1024];
        char got[EXPRESSION_TEXT_BYTES];
        snprintf(text, sizeof text, "r'''%s'''.%s()", texts[i], format);
        evaluate(text, CEL_STEPS_DEFAULT, got);
        if (strcmp(got, want ? "true" : "false") != 0) {
            fail_msg("%s is %s", text, got);
        }
    }
}
#define HOLDS(function, ...)                                                                                 \
    do {                                                                                                     \
        static const char *const texts[] = {__VA_ARGS__};                                                    \
        check_all(texts, sizeof texts / sizeof *texts, function, true);                                      \
    } while (0)
#define FAILS(function, ...)                                                                                 \
    do {                                                                                                     \
        static const char *const texts[] = {__VA_ARGS__};                                                    \
        check_all(texts, sizeof texts / sizeof *texts, function, false);                                     \
    } while (0)

static void test_strings(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"'a\u00e9b'.charAt(3)", "\"\""},
        {"'a\u00e9b'.charAt(4)", "error: index is outside of the string"},
        {"'a\u00e9b'.charAt(-1)", "error: index is outside of the string"},
        {"'abcabc'.lastIndexOf('bc', 3)", "1"},
        {"'abc'.lastIndexOf('abcd')", "-1"},
        {"''.indexOf('')", "0"},
        {"'\u00e9\u00e9x'.indexOf('x', 2)", "2"},
        {"'abc'.replace('', '-')", "\"-a-b-c-\""},
        {"'abc'.replace('', '-', 2)", "\"-a-bc\""},
        {"'abc'.replace('b', '', 0)", "\"abc\""},
        {"'aaa'.replace('aa', 'b')", "\"ba\""},
        {"'\u00e9b'.split('')", "[\"\u00e9\", \"b\"]"},
        {"''.split(',')", "[\"\"]"},
        {"''.split('')", "[]"},
        {"'a,b,c'.split(',', 2)", "[\"a\", \"b,c\"]"},
        {"',a,'.split(',')", "[\"\", \"a\", \"\"]"},
        {"'a\u00e9b'.reverse()", "\"b\u00e9a\""},
        {"[].join(',')", "\"\""},
        {"[dyn('a'), dyn(1)].join(',')", "error: join takes a list of strings"},
        {"'\\u3000 a b\\t'.trim()", "\"a b\""},
        {"' \\t'.trim()", "\"\""},
        {"'abc'.substring(2, 1)", "error: substring ends before it begins"},
        {"strings.quote('\\x01\\n\\\"')", "\"\\\"\\x01\\\\n\\\\\\\"\\\"\""},
    };
    CHECK(rows);
}

static void test_format(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"'%s|%s'.format([b'\\xff\\xe2\\x82x', 'a'])", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx|a\""},
        {"'%.100f'.format([1e308]).size()", "410"},
        {"'%.101f'.format([1.0])", "error: format has a clause that does not exist"},
        {"'%.99999999999999999999f'.format([1.0])", "error: format has a clause that does not exist"},
        {"'%5d'.format([1])", "error: format has a clause that does not exist"},
        {"'%'.format([1])", "error: format has a clause that does not exist"},
        {"'%.'.format([1])", "error: format has a clause that does not exist"},
        {"'%.2d'.format([1])", "error: format has a clause that does not exist"},
        {"'%d'.format([])", "error: format has more clauses than values"},
        {"'%x %o %b'.format([-255, -8, -5])", "\"-ff -10 -101\""},
        {"'%x'.format([-9223372036854775807 - 1])", "\"-8000000000000000\""},
        {"'%s'.format([{'b': [1, {2u: null}], 'a': true}])", "\"{a: true, b: [1, {2: null}]}\""},
        {"'%s'.format([type(1)])", "\"int\""},
        {"'%f %e'.format([1, 2u])", "\"1.000000 2.000000e+00\""},
        {"'%s'.format([decimal('1')])", "error: the clause cannot take a value of this type"},
    };
    CHECK(rows);
}

static void test_math(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"math.greatest(1, 2u, 1.5)", "2u"},
        {"math.least([3, 1.5, 2u])", "1.5"},
        {"math.greatest([])", "error: math.greatest and math.least of an empty list"},
        {"math.greatest(dyn('a'))", "error: math.greatest and math.least take numbers"},
        {"math.round(-2.5)", "-3.0"},
        {"math.sqrt(-1.0)", "NaN"},
        {"math.sqrt(81u)", "9.0"},
        {"math.abs(-9223372036854775807 - 1)", "error: integer overflow"},
        {"math.bitShiftRight(-1, 63)", "1"},
        {"math.bitShiftLeft(1, 64)", "0"},
        {"math.bitShiftLeft(1, -1)", "error: a shift by a negative number"},
        {"math.bitNot(0u)", "18446744073709551615u"},
    };
    CHECK(rows);
}

static void test_others(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"base64.encode(b'a')", "\"YQ==\""},
        {"base64.decode('YWI')", "b\"ab\""},
        {"base64.decode('YWI=')", "b\"ab\""},
        {"base64.decode('YWI==')", "error: the text is no base64"},
        {"base64.decode('Y')", "error: the text is no base64"},
        {"base64.decode('Y!==')", "error: the text is no base64"},
        {"sets.contains([1, 2, 3], [3.0, 1u])", "true"},
        {"sets.contains([], [1])", "false"},
        {"sets.equivalent([1, 1], [1])", "true"},
        {"sets.equivalent([1], [1, 2])", "false"},
        {"sets.intersects([1], [])", "false"},
        {"sets.intersects([1, 2], [2])", "true"},
        {"optional.of(1)", "optional.of(1)"},
        {"optional.none().value()", "error: optional.none() has no value"},
        {"optional.ofNonZeroValue(duration('0s')).hasValue()", "false"},
        {"timestamp.of(-1, 'millis')", "timestamp(\"1969-12-31T23:59:59.999Z\")"},
        {"timestamp.of(1700000000, 'seconds') == timestamp.of('2023-11-14T22:13:20Z')", "true"},
        {"timestamp.of(1, 'days')", "error: the unit of timestamp.of is seconds, millis, micros or nanos"},
        {"timestamp.of(9223372036854775807, 'seconds')", "error: timestamp out of range"},
        {"timestamp(-1, 3) == timestamp.of(-1, 'millis') && timestamp(1, 0) == timestamp(1)", "true"},
        {"timestamp(1, 2)", "error: the precision of timestamp() is 0, 3, 6 or 9"},
        {"timestamp.of('x')", "error: a string that is no timestamp"},
        {"timestamp.of(dyn(1))",
         "error: a number is no timestamp without its unit: timestamp.of(number, \"millis\")"},
    };
    CHECK(rows);
}

// As java.math.BigDecimal has them.
static void test_decimals(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"string(decimal('1.50'))", "\"1.50\""},
        {"string(decimal('-1E+3'))", "\"-1000\""},
        {"string(decimal('1e-3'))", "\"0.001\""},
        {"string(decimal('.5'))", "\"0.5\""},
        {"string(decimal('0.00'))", "\"0.00\""},
        {"string(decimal(1.0))", "\"1.0\""},
        {"string(decimal(0.1))", "\"0.1\""},
        {"string(decimal(1e10))", "\"10000000000\""},
        {"string(decimal(-9223372036854775807 - 1))", "\"-9223372036854775808\""},
        {"string(decimal(18446744073709551615u))", "\"18446744073709551615\""},
        {"string(decimal(b'\\x30\\x39', 2))", "\"123.45\""},
        {"string(decimal(b'\\xff\\x85', 1))", "\"-12.3\""},
        {"string(decimal(b'', 2))", "\"0.00\""},
        {"string(decimal(b'\\x80', 0))", "\"-128\""},
        {"string(decimals.add(decimal('999999999'), decimal('0.1')))", "\"999999999.1\""},
        {"string(decimals.sub(decimal('5.250'), decimal('1.1')))", "\"4.150\""},
        {"string(decimals.sub(decimal('1'), decimal('1000000000')))", "\"-999999999\""},
        {"string(decimals.mul(decimal('1.25'), decimal('-4.000')))", "\"-5.00000\""},
        {"string(decimals.mul(decimal('123456789123456789'), decimal('987654321987654321')))",
         "\"121932631356500531347203169112635269\""},
        {"string(decimals.div(decimal('1.00'), decimal('4.0')))", "\"0.25\""},
        {"string(decimals.div(decimal('1'), decimal('3')))", "\"0.33333333333333333333333333333333333333\""},
        {"string(decimals.div(decimal('2'), decimal('3')))", "\"0.66666666666666666666666666666666666667\""},
        {"string(decimals.div(decimal('10.0'), decimal('2.0')))", "\"5\""},
        {"string(decimals.div(decimal('600'), decimal('-2')))", "\"-300\""},
        {"string(decimals.div(decimal('121932631356500531347203169112635269'), "
         "decimal('987654321987654321')))",
         "\"123456789123456789\""},
        {"decimals.div(decimal('1'), decimal('0.0'))", "error: decimals.div: division by zero"},
        {"string(decimals.mod(decimal('5.50'), decimal('2.0')))", "\"1.50\""},
        {"string(decimals.mod(decimal('5.5'), decimal('2.00')))", "\"1.50\""},
        {"string(decimals.mod(decimal('-7'), decimal('3')))", "\"-1\""},
        {"decimals.mod(decimal('1'), decimal('0'))", "error: decimals.mod: division by zero"},
        {"string(decimals.sqrt(decimal('2')))", "\"1.4142135623730950488016887242096980786\""},
        {"string(decimals.sqrt(decimal('4.00')))", "\"2.0\""},
        {"string(decimals.sqrt(decimal('9.0000')))", "\"3.00\""},
        {"string(decimals.sqrt(decimal('0')))", "\"0\""},
        {"decimals.sqrt(decimal('1e200')) == decimal('1e100')", "true"},
        {"decimals.sqrt(decimal('1" // more digits than a root needs
         "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000'))",
         "decimal(\"100000000000000000000000000000000000000000000\")"},
        {"decimals.sqrt(decimal('-1'))", "error: decimals.sqrt: square root of negative number"},
        {"string(decimals.round(decimal('2.5')))", "\"3\""},
        {"string(decimals.round(decimal('-2.5')))", "\"-3\""},
        {"string(decimals.round(decimal('2.4999999999999')))", "\"2\""},
        {"string(decimals.round(decimal('1250'), -2))", "\"1300\""},
        {"string(decimals.round(decimal('1.2'), 3))", "\"1.200\""},
        {"string(decimals.round(decimal('0.0000000000000000001'), 1))", "\"0.0\""},
        {"string(decimals.trunc(decimal('1.2999'), 2))", "\"1.29\""},
        {"string(decimals.trunc(decimal('1.5'), 4))", "\"1.5\""},
        {"string(decimals.floor(decimal('-1.5')))", "\"-2\""},
        {"string(decimals.ceil(decimal('-1.5')))", "\"-1\""},
        {"string(decimals.ceil(decimal('1.000000000001')))", "\"2\""},
        {"string(decimals.greatest(decimal('2.0'), decimal('2.00')))", "\"2.0\""},
        {"string(decimals.least(decimal('3.00'), decimal('2.0')))", "\"2.0\""},
        {"string(decimals.neg(decimal('0')))", "\"0\""},
        {"string(decimals.abs(decimal('-1.50')))", "\"1.50\""},
        {"decimals.sign(decimal('-0.1'))", "-1"},
        {"decimal('2.0') == decimal('2.00')", "true"},
        {"decimals.lt(decimal('1e100'), decimal('-1e200'))", "false"},
        {"decimals.gt(decimal('1e-100'), decimal('0'))", "true"},
        {"decimals.le(decimal('123456789.0123456789'), decimal('123456789.01234567890'))", "true"},
        {"double(decimal('100.50'))", "100.5"},
        {"double(decimal('1e400'))", "Infinity"},
        {"decimal('')", "error: a decimal of too many digits, or no decimal"},
        {"decimal('1.2.3')", "error: a decimal of too many digits, or no decimal"},
        {"decimal('1e')", "error: a decimal of too many digits, or no decimal"},
        {"decimal('1e99999999999')", "error: a decimal of too many digits, or no decimal"},
        {"decimal(double('NaN'))", "error: a decimal of too many digits, or no decimal"},
        {"decimals.add(decimal('1e5000'), decimal('1'))",
         "error: a decimal of too many digits, or no decimal"},
        {"decimal(b'a')", "error: bytes have no scale of their own: decimal(bytes, scale)"},
        {"decimals.add(1, 2)", "error: this function takes decimals: decimal(x)"},
        {"decimal(null)", "error: decimal() cannot take a value of this type"},
    };
    CHECK(rows);
}

// Spark's encoding: {"a": [1, "x", null], "b": 1.5, ...}, built by hand.
static void test_variants(void **state)
{
    (void)state;
#define META   "b'\\x01\\x02\\x00\\x01\\x02ab'"
#define OBJECT "b'\\x02\\x02\\x00\\x01\\x00\\x02\\x05\\x0c\\x01\\x0d\\x78\\x79\\x7a'"
    static const struct expression_row rows[] = {
        {"variants.toJson(variants.parseJson('{\"a\": [1, 2.5, \"x\\\\u00e9\", null, true], \"b\": 1e10}'))",
         "\"{\\\"a\\\":[1,2.5,\\\"x\xc3\xa9\\\",null,true],\\\"b\\\":1.0E10}\""},
        {"variants.type(variants.parseJson('12345678901234567890123'))", "\"decimal\""},
        {"string(variants.as(variants.parseJson('12345678901234567890123'), 'decimal'))",
         "\"12345678901234567890123\""},
        {"variants.parseJson('{')", "error: variants.parseJson: the text is no JSON"},
        {"variants.tryParseJson('{')", "null"},
        {"variants.path(variants.parseJson('{\"a\":[{\"b c\":7}]}'), '$.a[0][\"b c\"]')", "variant(7)"},
        {"variants.path(variants.parseJson('{\"a\":1}'), '$.b.c[3]')", "null"},
        {"variants.path(variants.parseJson('{\"a\":1}'), '$.b.')", "error: variants.path: a malformed path"},
        {"variants.path(variants.parseJson('[]'), '$[-1]')", "error: variants.path: a malformed path"},
        {"variants.path(variants.parseJson('[]'), '$[99999999999]')",
         "error: variants.path: a malformed path"},
        {"variants.path(variants.parseJson('[]'), '$[\"')", "error: variants.path: a malformed path"},
        {"variants.path(variants.parseJson('[]'), '')", "error: variants.path: a malformed path"},
        {"variants.isNull(variants.field(variants.parseJson('{\"a\":null}'), 'a'))", "true"},
        {"variants.field(variants.parseJson('{\"a\":null}'), 'b') == null", "true"},
        {"variants.elem(variants.parseJson('[1,2]'), 1)", "variant(2)"},
        {"variants.elem(variants.parseJson('[1,2]'), 2)", "null"},
        {"variants.index(variants.parseJson('[1,2]'), -1)", "null"},
        {"variants.as(variants.parseJson('1'), 'string')",
         "error: variants.as: the variant is of another type"},
        {"variants.tryAs(variants.parseJson('1'), 'string')", "null"},
        {"variants.as(variants.parseJson('1'), 'object')",
         "error: variants.as: nothing of this type can be extracted"},
        {"variants.as(null, 'int')", "null"},
        {"variant('{}')", "error: variant(string) is not supported: variants.parseJson(string)"},
        {"variant(" OBJECT ", " META ")", "variant({\"a\":1,\"b\":\"xyz\"})"},
        {"variants.as(variants.field(variant(" OBJECT ", " META "), 'b'), 'string')", "\"xyz\""},
        {"variant({'metadata': " META ", 'value': " OBJECT "}) == variant(" OBJECT ", " META ")", "true"},
        {"variant(" OBJECT ", b'\\x02\\x00\\x00')", "error: bytes that are no variant"},
        {"variant(b'', " META ")", "error: bytes that are no variant"},
        {"variant(b'\\x10\\xff\\xff\\xff\\xff', " META ")", "variant(-1)"},
        {"variant(b'\\x20\\x02\\x39\\x30\\x00\\x00', " META ")", "variant(123.45)"},
        {"variant(b'\\x2c\\x00\\x00\\x00\\x00', " META ")", "variant(\"1970-01-01\")"},
        {"variant(b'\\x30\\x40\\x42\\x0f\\x00\\x00\\x00\\x00\\x00', " META ")",
         "variant(\"1970-01-01T00:00:01Z\")"},
        {"variant(b'\\x34\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff', " META ")",
         "variant(\"1969-12-31T23:59:59.999999\")"},
        {"variant(b'\\x44\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00', " META ")",
         "variant(\"00:00:00.000001\")"},
        {"variant(b'\\x50\\x00\\x11\\x22\\x33\\x44\\x55\\x66\\x77\\x88\\x99\\xaa\\xbb\\xcc\\xdd\\xee\\xff',"
         " " META ")",
         "variant(\"00112233-4455-6677-8899-aabbccddeeff\")"},
        // Cut off, an offset outside, a name that the metadata does not have, text that is none.
        {"variants.toJson(variant(b'\\x18\\x01', " META "))",
         "error: variants.toJson: a variant that is malformed or too deeply nested"},
        {"variants.toJson(variant(b'\\x02\\xff\\x00', " META "))",
         "error: variants.toJson: a variant that is malformed or too deeply nested"},
        {"variants.toJson(variant(b'\\x03\\x01\\x09\\x02\\x0c\\x01', " META "))",
         "error: variants.toJson: a variant that is malformed or too deeply nested"},
        {"variants.toJson(variant(b'\\x02\\x01\\x07\\x00\\x02\\x0c\\x01', " META "))",
         "error: variants.toJson: a variant that is malformed or too deeply nested"},
        {"variants.toJson(variant(b'\\x05\\xff', " META "))",
         "error: variants.toJson: a variant that is malformed or too deeply nested"},
        {"variants.toJson(variant(b'\\x40\\x03\\x00\\x00\\x00ab', " META "))",
         "error: variants.toJson: a variant that is malformed or too deeply nested"},
        {"variants.toJson(variant(b'\\x40\\xff\\xff\\xff\\xffab', " META "))",
         "error: variants.toJson: a variant that is malformed or too deeply nested"},
    };
    CHECK(rows);
#undef META
#undef OBJECT
}

static void test_validators(void **state)
{
    (void)state;
    HOLDS("isEmail", "a@b", "first.last+tag@sub.example.com", "!#$%&'*+/=?^_`{|}~-@x", "a..b@x");
    FAILS("isEmail", "", "a", "@b", "a@", "a@-b", "a@b..c", "a@b.", "a b@c", "a@b@c", "\u00e9@b",
          "a@[1.2.3.4]");
    HOLDS("isHostname", "a", "A-1.example", "example.com.", "1.a");
    FAILS("isHostname", "", ".", "-a", "a-", "a_b", "1.2.3.4", "a..b", "\u00e9",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    HOLDS("isIpv4", "0.0.0.0", "255.255.255.255");
    FAILS("isIpv4", "", "1.2.3", "1.2.3.4.", "256.1.1.1", "01.2.3.4", "1.2.3.4/8", "1.2.3.0x4", "1..2.3");
    HOLDS("isIpv6", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "fe80::a%en1");
    FAILS("isIpv6", "", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "::1%",
          "1:2:3:4:5:6:7::8", "::1.2.3.4.5", "::g");
    HOLDS("isUri", "http://example.com", "a:", "urn:isbn:1", "https://u:p@h:80/p?q#f",
          "http://[::1%25eth0]:8/", "http://[v1.x]/", "x://%41/", "file:///a");
    FAILS("isUri", "", "a", "//h", "1a:b", "http://a b", "http://[::1]x", "http://[1]/", "http://h:x/",
          "x://%zz", "x:#a#b", "x://%ff/", "x:^", "http://[::1%eth0]/", "http://[::1%25e+]/");
    HOLDS("isUriRef", "a", "./a:b", "/a?b#c", "//h/p", "?q", "#f");
    FAILS("isUriRef", "", "a b", ":", "1a:b", "a^");
    HOLDS("isUuid", "00000000-0000-0000-0000-000000000000", "ABCDEFab-1234-1234-1234-123456789012");
    FAILS("isUuid", "", "00000000000000000000000000000000", "0000000-00000-0000-0000-000000000000",
          "{00000000-0000-0000-0000-000000000000}", "g0000000-0000-0000-0000-000000000000");
}

// What would take much time or memory is given up, and says so.
static void test_budgets(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'"
         ".replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')"
         ".replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')"
         ".replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')"
         ".replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')",
         EXPRESSION_OVER},
        {"string(decimal('1e1000000')).size() + string(decimal('1e-1000000')).size()", "2000003"},
        {"[1, 2, 3, 4, 5, 6, 7, 8, 9].map(x, string(decimal('1e1000000'))).size()", EXPRESSION_OVER},
    };
    CHECK(rows);
    static const struct expression_row poor[] = {
        {"'%s'.format([[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]])", EXPRESSION_OVER},
        {"sets.contains([1, 2, 3, 4, 5], [5, 4, 3, 2, 1])", EXPRESSION_OVER},
        {"decimals.mul(decimal('1e300'), decimal('1e300')) == decimal('1') && '0123456789012345678901'"
         ".replace('', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').size() > 0",
         "false"},
        {"['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o'].join(', ')",
         EXPRESSION_OVER},
    };
    for (size_t i = 0; i < sizeof poor / sizeof *poor; i++) {
        char got[EXPRESSION_TEXT_BYTES];
        evaluate(poor[i].text, 24, got);
        assert_string_equal(got, poor[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),    cmocka_unit_test(test_format),   cmocka_unit_test(test_math),
        cmocka_unit_test(test_others),     cmocka_unit_test(test_decimals), cmocka_unit_test(test_variants),
        cmocka_unit_test(test_validators), cmocka_unit_test(test_budgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
