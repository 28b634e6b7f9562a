#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tidy.py - the rules of the house that a machine can check, run as a test (`./dev tidy`).

Each rule is a function `rule_<name>(tree)` that yields findings; tidy_test.py proves that each one fires.
A finding fails the run. Sizes that merely grew past what is comfortable are printed as notes.
"""
import argparse
import os
import re
import subprocess
import sys

# What a rule lets pass, with the reason. Keep it short: an exception is a decision.
SYSTEM_EXCEPTIONS = {
    ('src/base/crc32c.c', 'pthread.h'): 'tables are filled once, under pthread_once',
    ('src/base/banned.h', 'time.h'): 'has to see the declarations it poisons',
}
CALL_EXCEPTIONS = {
    ('src/base/mem.c', 'malloc'), ('src/base/mem.c', 'calloc'), ('src/base/mem.c', 'realloc'),
    ('src/base/mem.c', 'free'),
    # The simulator's processes allocate from the real heap behind the hooks of mem.h.
    ('src/platform/sim/process_mem.c', 'malloc'), ('src/platform/sim/process_mem.c', 'realloc'),
    ('src/platform/sim/process_mem.c', 'free'),
    ('src/base/assert.c', 'abort'), ('src/base/assert.c', 'fprintf'),
}

WORLD_HEADERS = re.compile(
    r'^(time|unistd|pthread|threads|fcntl|signal|poll|dirent|netdb|ifaddrs|spawn|termios)\.h$'
    r'|^sys/(socket|epoll|eventfd|mman|stat|time|timerfd|uio|un|types|wait|file|ioctl|sendfile|random|resource|'
    r'statvfs|syscall|prctl|select)\.h$|^(netinet|arpa|linux|net)/')
WORLD_CALLS = ('rand random srand srandom drand48 getenv secure_getenv setenv clock_gettime gettimeofday time usleep '
               'nanosleep sleep fopen freopen tmpfile remove rename system popen fork exit _exit abort').split()
HEAP_CALLS = 'malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf alloca'.split()
PRINT_CALLS = 'printf fprintf vprintf vfprintf puts putchar fputs fputc fwrite perror'.split()

# Folders of src/ that are the door to the world, and those that talk to people.
WORLD_FOLDERS = {'platform'}
PEOPLE_FOLDERS = {'platform', 'cli', 'server'}

FILE_LINES_NOTE, FILE_LINES_MAX = 600, 1000
FUNCTION_LINES_NOTE, FUNCTION_LINES_MAX = 70, 100
LINE_MAX = {'.c': 110, '.h': 110, '.py': 120, '.js': 120, '.mjs': 120, '.sh': 120, '.api': 120}
README_LINES_MAX = 60
README_HEADINGS = ['Purpose', 'Face', 'Invariants', 'Never', 'Files']
SEMANTICS_POINTS = 47
ARCHITECTURE_LINES_MAX = 300

SPDX = 'SPDX-License-Identifier: Apache-2.0'
NEEDS_SPDX = ('.c', '.h', '.py', '.js', '.mjs', '.sh', '.api')

# Words that say nothing, or that promise later work nobody has written down.
WORDS_CODE = re.compile(r'\b(FIXME|XXX|HACK)\b|\bTODO\b(?!\(#\d+\))')
WORDS_DOCS = re.compile(r'\b(blazing(ly)?[ -]fast|seamless(ly)?|leverag(e|es|ing)|utili[sz]es?|cutting[ -]edge|'
                        r'state[ -]of[ -]the[ -]art|world[ -]class|delve[sd]?|effortless(ly)?|'
                        r'production[ -]ready)\b', re.I)
CONFLICT = re.compile(r'^(<<<<<<<|>>>>>>>)( |$)')
MACHINE_PATH = re.compile(r'(^|[^A-Za-z0-9_.])/(work' + '|farm' + r')/')

FOLDERS_OF_C = ('src', 'sim', 'tests', 'fuzz', 'bench')


class Finding:
    def __init__(self, path, line, text):
        self.path, self.line, self.text = path, line, text


class Tree:
    """The files under version control (and new ones not ignored), read once."""

    def __init__(self, root):
        self.root = root
        self.texts = {}
        for path in sorted(self._list()):
            try:
                with open(os.path.join(root, path), encoding='utf-8') as f:
                    self.texts[path] = f.read()
            except (UnicodeDecodeError, IsADirectoryError, FileNotFoundError):
                continue  # binary, or deleted since the listing: not ours to judge
        self.code = {path: blank_comments_and_strings(text)
                     for path, text in self.texts.items() if path.endswith(('.c', '.h'))}

    def _list(self):
        result = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard'], cwd=self.root,
                                capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return [line for line in result.stdout.splitlines() if line]
        found = []  # an unpacked archive has no git
        for folder, folders, files in os.walk(self.root):
            folders[:] = [f for f in folders if not f.startswith(('build', '.', 'node_modules'))]
            found += [os.path.relpath(os.path.join(folder, name), self.root) for name in files]
        return found

    def c_files(self, *roots):
        return [p for p in self.code if p.split('/')[0] in (roots or FOLDERS_OF_C)]

    def modules(self):
        return sorted({p.split('/')[1] for p in self.texts if p.startswith('src/') and p.count('/') >= 2})


def blank_comments_and_strings(text):
    """Comments and the insides of literals become spaces, so that a search sees only code; lines stay."""
    def blank(match):
        token = match.group(0)
        if token.startswith('/'):
            return re.sub(r'[^\n]', ' ', token)
        return token[0] + re.sub(r'[^\n]', ' ', token[1:-1]) + token[-1]
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def numbered(text):
    return enumerate(text.splitlines(), 1)


def includes_of(tree, path):
    """(line, header, is_ours) for each #include outside comments."""
    code = tree.code[path].splitlines()
    for number, line in numbered(tree.texts[path]):
        match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if match and code[number - 1].lstrip().startswith('#'):
            yield number, match.group(2), match.group(1) == '"'


def is_test(path):
    name = os.path.basename(path)
    return name.endswith(('_test.c', '_test.h', '_suite.c')) or name.startswith('test_') or not path.startswith('src/')


def module_of(path):
    parts = path.split('/')
    return parts[1] if parts[0] == 'src' and len(parts) > 2 else None


def layers_read(tree):
    """{folder: list of what it may include} from src/layers.txt."""
    layers = {}
    for line in tree.texts.get('src/layers.txt', '').splitlines():
        line = line.split('#')[0]
        if ':' in line:
            name, allowed = line.split(':', 1)
            layers[name.strip()] = allowed.split()
    return layers


# ---- the rules

def rule_layers(tree):
    """A module includes itself and the faces that src/layers.txt allows."""
    layers = layers_read(tree)
    modules = tree.modules()
    for module in modules:
        if module not in layers:
            yield Finding('src/layers.txt', 0, f'src/{module}/ is not listed')
    order = list(layers)
    for name, allowed in layers.items():
        for other in allowed:
            folder = other.split('/')[0]
            if folder != '*' and (folder not in layers or order.index(folder) >= order.index(name)):
                yield Finding('src/layers.txt', 0, f'{name} may not look up or sideways at {other}')
    for path in tree.c_files('src'):
        module = module_of(path)
        for number, header, is_ours in includes_of(tree, path):
            target = header.split('/')[0]
            if not is_ours or target == module:
                continue
            if '/' not in header:
                if module is not None and not is_generated(tree, header):
                    yield Finding(path, number, f'"{header}": write includes rooted at src/')
                continue
            allowed = layers.get(module, [])
            if is_test(path) and module in order and target in order[:order.index(module)]:
                continue  # a test may build the world that it needs out of anything below
            if '*' not in allowed and target not in allowed and header not in allowed:
                yield Finding(path, number, f'{module} may not include "{header}" (src/layers.txt)')
            elif '*' not in allowed and header.count('/') > 1 and header not in allowed:
                yield Finding(path, number, f'"{header}" lies inside {target}: include its face')


def is_generated(tree, header):
    """A header that no file of the tree carries is written by the build."""
    return not any(p.endswith('/' + header) for p in tree.texts)


def rule_private_headers(tree):
    """A *_private.h is seen by its own folder only."""
    for path in tree.c_files():
        for number, header, is_ours in includes_of(tree, path):
            if is_ours and header.endswith('_private.h') and '/' in header:
                if header.split('/')[0] != module_of(path):
                    yield Finding(path, number, f'"{header}" is private to {header.split("/")[0]}')


def is_private_of(header, own):
    return header.endswith('_private.h') and os.path.dirname(header) == os.path.dirname(own)


def rule_own_header_first(tree):
    """foo.c includes foo.h before anything else, so that foo.h is known to need nothing."""
    for path in tree.c_files('src'):
        if not path.endswith('.c') or is_test(path):
            continue
        own = path[len('src/'):-2] + '.h'
        if 'src/' + own not in tree.texts:
            continue
        # Or the folder's private header, which in turn begins with the face.
        first = next(includes_of(tree, path), None)
        if first is None or (first[1] != own and not is_private_of(first[1], own)):
            yield Finding(path, first[0] if first else 1, f'include "{own}" first')


def rule_headers_of_the_world(tree):
    """Clock, files, sockets, threads and chance come through struct env (platform/env.h)."""
    for path in tree.c_files('src'):
        if module_of(path) in WORLD_FOLDERS or is_test(path):
            continue
        for number, header, is_ours in includes_of(tree, path):
            if not is_ours and WORLD_HEADERS.search(header) and (path, header) not in SYSTEM_EXCEPTIONS:
                yield Finding(path, number, f'<{header}> belongs to platform/')


def calls_of(tree, path, names):
    pattern = re.compile(r'(?<![\w.>])(' + '|'.join(names) + r')\s*\(')
    for number, line in numbered(tree.code[path]):
        if line.lstrip().startswith('#'):
            continue
        for match in pattern.finditer(line):
            if (path, match.group(1)) not in CALL_EXCEPTIONS:
                yield number, match.group(1)


def rule_calls_of_the_world(tree):
    """rand, getenv, sleep and their like stay in platform/."""
    for path in tree.c_files('src'):
        if module_of(path) not in WORLD_FOLDERS and not is_test(path):
            for number, name in calls_of(tree, path, WORLD_CALLS):
                yield Finding(path, number, f'{name}() belongs to platform/')


def rule_heap_calls(tree):
    """Memory comes from base/mem.h."""
    for path in tree.c_files('src'):
        if not is_test(path):
            for number, name in calls_of(tree, path, HEAP_CALLS):
                yield Finding(path, number, f'{name}(): use base/mem.h')


def rule_printing(tree):
    """Only what talks to people prints; everything else returns an error."""
    for path in tree.c_files('src'):
        if module_of(path) not in PEOPLE_FOLDERS and not is_test(path):
            for number, name in calls_of(tree, path, PRINT_CALLS):
                yield Finding(path, number, f'{name}(): return an error instead, or log above the broker')


def rule_no_typedefs(tree):
    """A struct is called struct."""
    for path in tree.c_files():
        for number, line in numbered(tree.code[path]):
            if re.match(r'\s*typedef\s+(struct|union|enum)\b', line):
                yield Finding(path, number, 'no typedef for a struct, union or enum')


def rule_header_guards(tree):
    """Each header has a guard that no other header has."""
    seen = {}
    for path in tree.c_files():
        if not path.endswith('.h'):
            continue
        match = re.search(r'#ifndef (\w+)\n#define (\w+)\n', tree.texts[path])
        if not match or match.group(1) != match.group(2):
            yield Finding(path, 1, 'no include guard')
        elif match.group(1) in seen:
            yield Finding(path, 1, f'its guard {match.group(1)} is also that of {seen[match.group(1)]}')
        else:
            seen[match.group(1)] = path


def rule_headers_compile_alone(tree):
    """A header brings what it needs."""
    compiler = os.environ.get('CC', 'cc').split()
    for path in tree.c_files('src'):
        if not path.endswith('.h'):
            continue
        command = compiler + ['-std=gnu17', '-D_GNU_SOURCE', '-Wall', '-Werror', '-Wno-unused-function',
                              '-fsyntax-only', '-Isrc', '-x', 'c', path]
        result = subprocess.run(command, cwd=tree.root, capture_output=True, text=True, check=False)
        missing = re.search(r"([\w/.]+\.h)'?: No such file|'([\w/.]+\.h)' file not found", result.stderr)
        if missing and is_generated(tree, (missing.group(1) or missing.group(2)).split('/')[-1]):
            continue  # the build compiles those that need generated headers
        if result.returncode != 0:
            yield Finding(path, 1, 'does not compile alone: ' + (result.stderr.strip().splitlines() or ['?'])[0])


def rule_readmes(tree):
    """Each folder of src/ says in under sixty lines what it is."""
    for module in tree.modules():
        path = f'src/{module}/README.md'
        text = tree.texts.get(path)
        if text is None:
            yield Finding(path, 1, 'missing')
            continue
        headings = re.findall(r'^## (.+?)\s*$', text, flags=re.M)
        for heading in README_HEADINGS:
            if heading not in headings:
                yield Finding(path, 1, f'no heading "## {heading}"')
        lines = text.count('\n')
        if lines >= README_LINES_MAX:
            yield Finding(path, lines, f'{lines} lines, wants under {README_LINES_MAX}')


def rule_architecture(tree):
    """ARCHITECTURE.md names each folder and stays short."""
    text = tree.texts.get('ARCHITECTURE.md')
    if text is None:
        yield Finding('ARCHITECTURE.md', 1, 'missing')
        return
    if text.count('\n') >= ARCHITECTURE_LINES_MAX:
        yield Finding('ARCHITECTURE.md', 1, f'{ARCHITECTURE_LINES_MAX} lines or more')
    for module in tree.modules():
        if f'src/{module}/' not in text:
            yield Finding('ARCHITECTURE.md', 1, f'does not mention src/{module}/')


def rule_semantics(tree):
    """docs/kafka-semantics.md has every point once, and names tests that exist."""
    path = 'docs/kafka-semantics.md'
    text = tree.texts.get(path)
    if text is None:
        return
    points = [int(n) for n in re.findall(r'^\| (\d+) \|', text, flags=re.M)]
    if points != list(range(1, SEMANTICS_POINTS + 1)):
        yield Finding(path, 1, f'its rows are not the points 1 to {SEMANTICS_POINTS}')
    for number, line in numbered(text):
        for file, name in re.findall(r'`([\w/.]+\.(?:c|py|mjs)) (\w+)`', line):
            test = tree.texts.get(file) or tree.texts.get(f'src/{file}')
            if test is None or not re.search(rf'\b{name}\b', test):
                yield Finding(path, number, f'there is no {name} in {file}')


def rule_spdx(tree):
    """Each source file says its licence in its first two lines."""
    for path, text in tree.texts.items():
        is_script = text.startswith('#!')
        if (path.endswith(NEEDS_SPDX) or is_script) and SPDX not in '\n'.join(text.splitlines()[:2]):
            yield Finding(path, 1, f'no "{SPDX}"')


def rule_line_length(tree):
    """Lines fit a window."""
    for path, text in tree.texts.items():
        limit = LINE_MAX.get(os.path.splitext(path)[1])
        if limit is None:
            continue
        for number, line in numbered(text):
            if len(line) > limit:
                yield Finding(path, number, f'{len(line)} columns, limit {limit}')


def rule_whitespace(tree):
    """No tabs or trailing blanks in C and Python; every file ends with a newline."""
    for path, text in tree.texts.items():
        if not path.endswith(('.c', '.h', '.py')):
            continue
        for number, line in numbered(text):
            if line != line.rstrip() or '\t' in line:
                yield Finding(path, number, 'tab or trailing blank')
        if text and not text.endswith('\n'):
            yield Finding(path, text.count('\n') + 1, 'no newline at the end')


def functions_of(tree, path):
    """(line, name, length) of each function: clang-format puts both its braces in the first column."""
    start, name = None, ''
    lines = tree.code[path].splitlines()
    for number, line in enumerate(lines, 1):
        if line == '{':
            start = number
            before = ' '.join(lines[max(0, number - 6):number - 1])
            names = re.findall(r'(\w+)\s*\(', before)
            name = names[-1] if names else '?'
        elif line.startswith('}') and start is not None:
            yield start, name, number - start - 1
            start = None


def sizes(tree, file_limit, function_limit):
    for path in tree.c_files():
        count = tree.texts[path].count('\n')
        if count > file_limit:
            yield Finding(path, count, f'{count} lines (comfortable: {FILE_LINES_NOTE}, limit {FILE_LINES_MAX})')
        for number, name, length in functions_of(tree, path):
            if length > function_limit:
                yield Finding(path, number, f'{name}() has {length} lines '
                                            f'(comfortable: {FUNCTION_LINES_NOTE}, limit {FUNCTION_LINES_MAX})')


def rule_sizes(tree):
    """No file over 1,000 lines, no function over 100."""
    yield from sizes(tree, FILE_LINES_MAX, FUNCTION_LINES_MAX)


def rule_machine_paths(tree):
    """Nothing names a place that exists on one machine only."""
    for path, text in tree.texts.items():
        for number, line in numbered(text):
            if MACHINE_PATH.search(line):
                yield Finding(path, number, 'path of one machine')


def named_in_build(tree, path, name):
    """Whether the meson.build of the folder, or of one above it, names the file (or its stem in a list)."""
    folder = os.path.dirname(path)
    stem = re.sub(r'(_test)?\.c$', '', name)
    while True:
        text = tree.texts.get(os.path.join(folder, 'meson.build'), '')
        relative = os.path.relpath(path, folder or '.')
        if f"'{relative}'" in text or f"'{name}'" in text or f"'{stem}'" in text:
            return True
        if folder == '':
            return False
        folder = os.path.dirname(folder)


def rule_files_are_built(tree):
    """Each .c is named in a meson.build: dead files and forgotten tests are found here."""
    for path in tree.c_files():
        if path.endswith('.c') and not named_in_build(tree, path, os.path.basename(path)):
            yield Finding(path, 1, 'no meson.build names it')


def rule_words(tree):
    """TODO needs an issue; conflict markers and empty praise go."""
    for path, text in tree.texts.items():
        if path in ('tools/tidy.py', 'tools/tidy_test.py', 'LICENSE'):
            continue
        is_code = path.endswith(('.c', '.h', '.py', '.sh', '.js', '.mjs', '.api')) or path == 'dev'
        for number, line in numbered(text):
            if CONFLICT.match(line):
                yield Finding(path, number, 'conflict marker')
            match = WORDS_CODE.search(line) if is_code else WORDS_DOCS.search(line) if path.endswith('.md') else None
            if match:
                yield Finding(path, number, f'"{match.group(0)}"')


RULES = {name[len('rule_'):]: function for name, function in sorted(globals().items()) if name.startswith('rule_')}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--root', default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser.add_argument('--rule', action='append', choices=list(RULES), help='only this rule (repeatable)')
    options = parser.parse_args()
    tree = Tree(options.root)
    failed = 0
    for name in options.rule or RULES:
        findings = list(RULES[name](tree))
        failed += bool(findings)
        for finding in findings:
            print(f'{finding.path}:{finding.line}: {name}: {finding.text}')
    for note in sizes(tree, FILE_LINES_NOTE, FUNCTION_LINES_NOTE):
        print(f'note: {note.path}:{note.line}: {note.text}')
    count = len(options.rule or RULES)
    print(f'tidy: {len(tree.texts)} files, {count - failed} rules passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
