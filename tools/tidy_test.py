#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tidy_test.py - a checker that finds nothing proves nothing: each rule of tidy.py passes a clean tree and fires on a
tree with its own fault in it."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tidy  # noqa: E402

HEAD = '// SPDX-License-Identifier: Apache-2.0\n'
README = '# m\n' + ''.join(f'\n## {h}\nx\n' for h in tidy.README_HEADINGS)


def header(guard, body=''):
    return f'{HEAD}#ifndef {guard}\n#define {guard}\n{body}#endif\n'


SEMANTICS = ''.join(f'| {n} | x | `base/str.c str_len` |\n' for n in range(1, tidy.SEMANTICS_POINTS + 1))
CLEAN = {
    'docs/kafka-semantics.md': SEMANTICS,
    'src/layers.txt': '# table\nbase:\nplatform: base\ncore: base\nserver: *\n',
    'ARCHITECTURE.md': 'src/base/ src/platform/ src/core/ src/server/\n',
    'src/base/README.md': README,
    'src/platform/README.md': README,
    'src/core/README.md': README,
    'src/server/README.md': README,
    'src/base/str.h': header('BASE_STR_H', 'struct str {\n    const char *ptr;\n};\n'),
    'src/base/meson.build': "x = ['str.c', 'str_test.c']\n",
    'src/base/str.c': HEAD + '#include "base/str.h"\n\nint str_len(void)\n{\n    return 0;\n}\n',
    'src/base/str_test.c': HEAD + '#include "base/str.h"\n',
    'src/platform/env.h': header('PLATFORM_ENV_H'),
    'src/platform/real/real.h': header('PLATFORM_REAL_H'),
    'src/platform/env_private.h': header('PLATFORM_ENV_PRIVATE_H'),
    'src/platform/env.c': HEAD + '#include "platform/env.h"\n\n#include "platform/env_private.h"\n#include <time.h>\n',
    'src/platform/meson.build': "x = ['env.c']\n",
    'src/core/core.h': header('CORE_CORE_H', '#include "base/str.h"\n'),
    'src/core/core.c': HEAD + '#include "core/core.h"\n// malloc(1), rand() and "getenv" in comments are words.\n',
    'src/core/meson.build': "x = ['core.c', 'item_test.c']\n",
    'src/core/item_test.c': HEAD + '#include "core/core.h"\n#include "platform/real/real.h"\n#include <time.h>\n',
    'src/server/main.c': HEAD + '#include "core/core.h"\n#include "platform/real/real.h"\n',
    'src/server/meson.build': "x = ['main.c']\n",
    'tools/x.py': '#!/usr/bin/env python3\n# SPDX-License-Identifier: Apache-2.0\n',
}


def long_function(lines):
    return 'int grown(void)\n{\n' + '    ;\n' * lines + '}\n'


# (rule, what is wrong, {path: text, or a suffix that starts with '+'; None removes})
FAULTS = [
    ('layers', 'upward', {'src/base/str.c': '+#include "core/core.h"\n'}),
    ('layers', 'sideways', {'src/core/core.c': '+#include "platform/env.h"\n'}),
    ('layers', 'a test that looks up', {'src/core/item_test.c': '+#include "server/server.h"\n'}),
    ('layers', 'not rooted', {'src/core/core.c': '+#include "str.h"\n'}),
    ('layers', 'inside a module', {'src/layers.txt': 'base:\nplatform: base\ncore: base platform\nserver: *\n',
                                   'src/core/core.c': '+#include "platform/real/real.h"\n'}),
    ('layers', 'unlisted folder', {'src/zoo/zoo.h': header('ZOO_H')}),
    ('layers', 'table looks up', {'src/layers.txt': 'base: core\nplatform: base\ncore: base\nserver: *\n'}),
    ('private_headers', 'foreign private header', {'src/server/main.c': '+#include "platform/env_private.h"\n'}),
    ('own_header_first', 'own header second', {'src/core/core.c': HEAD + '#include "base/str.h"\n'
                                                                         '#include "core/core.h"\n'}),
    ('own_header_first', 'own header never', {'src/core/core.c': HEAD}),
    ('headers_of_the_world', 'clock', {'src/core/core.c': '+#include <time.h>\n'}),
    ('headers_of_the_world', 'sockets', {'src/core/core.c': '+#include <sys/socket.h>\n'}),
    ('headers_of_the_world', 'threads', {'src/core/core.c': '+#include <pthread.h>\n'}),
    ('headers_of_the_world', 'internet', {'src/core/core.c': '+#include <netinet/in.h>\n'}),
    ('calls_of_the_world', 'rand', {'src/core/core.c': '+int f(void)\n{\n    return rand();\n}\n'}),
    ('calls_of_the_world', 'getenv', {'src/server/main.c': '+int f(void)\n{\n    return *getenv("X");\n}\n'}),
    ('heap_calls', 'malloc', {'src/core/core.c': '+void *f(void)\n{\n    return malloc(1);\n}\n'}),
    ('heap_calls', 'free in base', {'src/base/str.c': '+void f(void *p)\n{\n    free(p);\n}\n'}),
    ('printing', 'printf in the core', {'src/core/core.c': '+void f(void)\n{\n    printf("x");\n}\n'}),
    ('no_typedefs', 'typedef', {'src/core/core.c': '+typedef struct str text;\n'}),
    ('header_guards', 'none', {'src/core/extra.h': HEAD}),
    ('header_guards', 'twice', {'src/core/extra.h': header('CORE_CORE_H')}),
    ('headers_compile_alone', 'needs another', {'src/core/extra.h': header('EXTRA_H', 'int f(uint8_t x);\n')}),
    ('readmes', 'missing', {'src/core/README.md': None}),
    ('readmes', 'heading', {'src/core/README.md': README.replace('## Never', '## Ever')}),
    ('readmes', 'long', {'src/core/README.md': README + 'x\n' * 60}),
    ('architecture', 'missing', {'ARCHITECTURE.md': None}),
    ('architecture', 'forgets a folder', {'ARCHITECTURE.md': 'src/base/ src/platform/ src/server/\n'}),
    ('architecture', 'long', {'ARCHITECTURE.md': CLEAN['ARCHITECTURE.md'] + 'x\n' * 300}),
    ('spdx', 'C', {'src/core/core.c': '#include "core/core.h"\n'}),
    ('spdx', 'script', {'run': '#!/bin/sh\n'}),
    ('semantics', 'a point is missing', {'docs/kafka-semantics.md': SEMANTICS.replace('| 9 |', '| 8 |')}),
    ('semantics', 'no such test', {'docs/kafka-semantics.md': SEMANTICS.replace('str_len', 'str_width')}),
    ('semantics', 'no such file', {'docs/kafka-semantics.md': SEMANTICS.replace('str.c', 'strings.c')}),
    ('line_length', 'long line', {'src/core/core.c': '+// ' + 'x' * 110 + '\n'}),
    ('whitespace', 'tab', {'src/core/core.c': '+\t\n'}),
    ('whitespace', 'trailing', {'src/core/core.c': '+int x; \n'}),
    ('whitespace', 'no newline', {'src/core/core.c': '+int x;'}),
    ('sizes', 'file', {'src/core/core.c': '+' + ';\n' * 1001}),
    ('sizes', 'function', {'src/core/core.c': '+' + long_function(101)}),
    ('machine_paths', 'in a document', {'ARCHITECTURE.md': '+see /wo' + 'rk/notes\n'}),
    ('files_are_built', 'dead file', {'src/core/dead.c': HEAD}),
    ('files_are_built', 'unregistered test', {'src/core/core_test.c': HEAD + '#include "core/core.h"\n'}),
    ('words', 'todo', {'src/core/core.c': '+// TODO: later\n'}),
    ('words', 'praise', {'ARCHITECTURE.md': '+a seamless experience\n'}),
    ('words', 'conflict', {'ARCHITECTURE.md': '+' + '<' * 7 + ' ours\n'}),
]


class TidyTest(unittest.TestCase):
    def tree(self, changes=None):
        files = dict(CLEAN)
        for path, text in (changes or {}).items():
            if text is not None and text.startswith('+'):
                text = files[path] + text[1:]
            files[path] = text
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for path, text in files.items():
            if text is None:
                continue
            full = os.path.join(folder.name, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, 'w', encoding='utf-8') as f:
                f.write(text)
        return tidy.Tree(folder.name)

    def test_clean_tree_passes_every_rule(self):
        tree = self.tree()
        for name, rule in tidy.RULES.items():
            with self.subTest(rule=name):
                self.assertEqual([(f.path, f.text) for f in rule(tree)], [])

    def test_each_fault_fires_its_rule(self):
        for name, what, changes in FAULTS:
            with self.subTest(rule=name, fault=what):
                found = list(tidy.RULES[name](self.tree(changes)))
                self.assertTrue(found, f'{name} missed: {what}')
                self.assertTrue({f.path for f in found} <= set(changes) | {'src/layers.txt', 'src/zoo/README.md'},
                                [(f.path, f.text) for f in found])

    def test_no_rule_is_without_a_fault(self):
        self.assertEqual(set(tidy.RULES) - {name for name, _, _ in FAULTS}, set())

    def test_growth_is_noted_before_it_fails(self):
        tree = self.tree({'src/core/core.c': '+' + long_function(71)})
        self.assertEqual([f.text.split(' ')[0] for f in tidy.sizes(tree, 600, 70)], ['grown()'])
        self.assertEqual(list(tidy.rule_sizes(tree)), [])

    def test_comments_and_strings_are_not_code(self):
        text = 'a; // free(x)\n/* malloc(1)\n */ "getenv(" \'"\' b;'
        code = tidy.blank_comments_and_strings(text)
        self.assertEqual(code.count('\n'), text.count('\n'))
        self.assertNotIn('free', code)
        self.assertNotIn('malloc', code)
        self.assertNotIn('getenv', code)
        self.assertIn('b;', code)


if __name__ == '__main__':
    unittest.main()
