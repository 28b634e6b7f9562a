// SPDX-License-Identifier: Apache-2.0
// completion.c - `strom completion bash|zsh|fish`: a script that makes the shell ask `strom complete`.
#include "cli/cli_private.h"

// Bash splits words at '=' and ':' too: the line is read anew, and what bash will not replace is cut off.
static const char bash_script[] =
    "# strom completion for bash: put `source <(strom completion bash)` into ~/.bashrc\n"
    "_strom() {\n"
    "    local line=${COMP_LINE:0:COMP_POINT} words=() word kept IFS=$' \\t\\n'\n"
    "    read -r -a words <<<\"$line\"\n"
    "    [[ $line == *[[:space:]] ]] && words+=('')\n"
    "    word=${words[${#words[@]}-1]}\n"
    "    kept=${word%\"${word##*[=:]}\"}\n"
    "    COMPREPLY=()\n"
    "    local found\n"
    "    while IFS=$'\\t' read -r found _; do\n"
    "        if [[ $found == :files ]]; then\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            while IFS= read -r found; do COMPREPLY+=(\"$found\"); done < <(compgen -f -- "
    "\"${word#*=}\")\n"
    "        else\n"
    "            [[ $found == *= ]] && compopt -o nospace 2>/dev/null\n"
    "            COMPREPLY+=(\"${found#\"$kept\"}\")\n"
    "        fi\n"
    "    done < <(\"${words[0]}\" complete \"${words[@]:1}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _strom strom\n";

static const char zsh_script[] =
    "#compdef strom\n"
    "# strom completion for zsh: put `source <(strom completion zsh)` into ~/.zshrc, or this file into "
    "$fpath\n"
    "_strom() {\n"
    "    local -a found plain settings\n"
    "    local line name\n"
    "    for line in \"${(@f)$(\"${words[1]}\" complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
    "        name=${line%%$'\\t'*}\n"
    "        if [[ $line == :files ]]; then\n"
    "            [[ $PREFIX == --*=* ]] && compset -P '*='\n"
    "            _files\n"
    "        elif [[ $name == *= ]]; then\n"
    "            settings+=(\"$name\")\n"
    "        elif [[ $line == *$'\\t'* ]]; then\n"
    "            found+=(\"${name//:/\\\\:}:${line#*$'\\t'}\")\n"
    "        elif [[ -n $line ]]; then\n"
    "            plain+=(\"$name\")\n"
    "        fi\n"
    "    done\n"
    "    (( $#found )) && _describe strom found\n"
    "    (( $#plain )) && compadd -a plain\n"
    "    (( $#settings )) && compadd -S '' -a settings\n"
    "    return 0\n"
    "}\n"
    "if [[ $funcstack[1] == _strom ]]; then _strom \"$@\"; else compdef _strom strom; fi\n";

static const char fish_script[] =
    "# strom completion for fish: strom completion fish > ~/.config/fish/completions/strom.fish\n"
    "function __strom_complete\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    set -l found ($words[1] complete $words[2..-1] 2>/dev/null)\n"
    "    if contains -- :files $found\n"
    "        __fish_complete_path (string replace -r -- '^--[^=]*=' '' (commandline -ct))\n"
    "    else\n"
    "        printf '%s\\n' $found\n"
    "    end\n"
    "end\n"
    "complete -c strom -f -a '(__strom_complete)'\n";

static const struct args_spec completion_spec = {
    .command = "strom completion",
    .names_usage = "bash|zsh|fish",
    .summary = "print a script that completes command lines",
    .text =
        "The script makes the shell complete commands, verbs, flags and their values at Tab; names of topics "
        "and groups are asked of the broker that --bootstrap-server or STROM_BOOTSTRAP names.",
    .examples = "  source <(strom completion bash)          # in ~/.bashrc\n"
                "  source <(strom completion zsh)           # in ~/.zshrc, after compinit\n"
                "  strom completion fish > ~/.config/fish/completions/strom.fish\n",
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_CHOICE,
};

static int completion_run(int argc, char **argv)
{
    static const struct {
        const char *shell;
        const char *script;
    } scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};
    struct run run;
    if (run_start(&run, &completion_spec, argc, argv)) {
        const char *script = NULL;
        for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
            script = str_equal(run.args->names[0], str_from_c(scripts[i].shell)) ? scripts[i].script : script;
        }
        if (script == NULL) {
            run_usage(&run, "there is no completion for \"" STR_FMT "\", but for bash, zsh and fish",
                      STR_ARG(run.args->names[0]));
        } else {
            buf_append_str(&run.out, str_from_c(script));
        }
    }
    return run_finish(&run);
}

const struct cli_command completion_command = {
    .name = "completion", .spec = &completion_spec, .run = completion_run};
