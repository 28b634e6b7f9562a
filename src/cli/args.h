// SPDX-License-Identifier: Apache-2.0
// args.h - flags and names of one command, by table: `--flag value`, `--flag=value`, `--switch`, `--help`;
// `--` ends the flags. The same table prints the command's manual page. Pure.
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "base/buf.h"
#include "base/error.h"

enum args_kind {
    ARGS_SWITCH, // takes no value
    ARGS_TEXT,
    ARGS_CHOICE,   // one of the words of value_name, as in "json|text"
    ARGS_INT,      // min..max
    ARGS_OPTIONAL, // --flag or --flag=N; min..max; the default is what the bare flag means
    ARGS_LIST,     // may be repeated
    ARGS_INTS,     // may be repeated; min..max
};

// What a shell offers for a name or a value that is typed.
enum args_words {
    ARGS_WORDS_NONE,
    ARGS_WORDS_FILE,
    ARGS_WORDS_TOPIC,
    ARGS_WORDS_GROUP,
    ARGS_WORDS_TOPIC_SETTING, // "retention.ms="
    ARGS_WORDS_BROKER_SETTING,
    ARGS_WORDS_COMMAND,
    ARGS_WORDS_CHOICE, // those of names_usage, as in "bash|zsh|fish"
};

struct args_flag {
    const char *name; // without the dashes
    enum args_kind kind;
    const char *value_name;   // "N", for help; NULL for switches
    const char *default_text; // NULL = none
    int64_t min;
    int64_t max;
    const char *help; // one or more sentences
    enum args_words words;
};

struct args_spec {
    const char *command;     // "strom topic create"
    const char *names_usage; // "NAME...", "" if none
    const char *summary;     // one line
    const char *text;        // paragraphs, one string per paragraph joined by \n\n; may be NULL
    const char *examples;    // lines; may be NULL
    const struct args_flag *flags;
    size_t flag_count;
    size_t names_min;
    size_t names_max;
    enum args_words words; // of the names
    bool is_remote;        // talks to a broker: --bootstrap-server and --timeout-ms are flags too
    bool is_json;          // --json is a flag too
};

enum { ARGS_NAMES_MAX = 1024, ARGS_VALUES_MAX = 1024 };

struct args_value {
    const struct args_flag *flag;
    struct str text;
};
struct args {
    const struct args_spec *spec;
    bool is_help; // --help was given: nothing else was checked
    size_t name_count;
    size_t value_count;
    struct str names[ARGS_NAMES_MAX]; // borrowed from argv, as all values
    struct args_value values[ARGS_VALUES_MAX];
};

// args_parse reads argv[1..argc). ERR_INVALID_REQUEST with a text for people: unknown flag (with the nearest
// one), missing or surplus value, a number out of range, too few or too many names.
enum err args_parse(const struct args_spec *spec, int argc, char **argv, struct args *ret, struct error *e);

// Look-ups; a name that the spec does not have is a bug. A later flag wins over an earlier one.
bool args_given(const struct args *args, const char *name);
struct str args_text(const struct args *args, const char *name); // the default if not given; NULL ptr if none
int64_t args_int(const struct args *args, const char *name);     // needs a default or args_given
// args_list gives the index-th value of a flag that may be repeated; false past the last.
bool args_list(const struct args *args, const char *name, size_t index, struct str *ret);

// args_flag_at gives every flag that a spec has, its own ones first; NULL past the last.
const struct args_flag *args_flag_at(const struct args_spec *spec, size_t index);
const struct args_flag *args_flag_find(const struct args_spec *spec, struct str name); // NULL if none
// choice_has says whether word is one of "a|b|c".
bool choice_has(struct str choices, struct str word);

// text_nearest picks the candidate that is the fewest edits from `text`, NULL if none is near enough.
const char *text_nearest(struct str text, const char *const *candidates, size_t count);
// text_is_near says whether two words differ by few enough edits to be a typo of one another.
bool text_is_near(struct str a, struct str b, size_t *ret_edits);

// pair_split splits "key=value" at the first '='; false without one or with an empty key.
bool pair_split(struct str text, struct str *ret_key, struct str *ret_value);

#endif
