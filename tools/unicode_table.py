#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""unicode_table.py OUTPUT: writes the characters of each general category of Unicode as a C table, from the database
that comes with Python."""
import sys
import unicodedata


def main():
    ranges = {}
    for c in range(0x110000):
        category = unicodedata.category(chr(c))
        runs = ranges.setdefault(category, [])
        if runs and runs[-1][1] == c - 1:
            runs[-1][1] = c
        else:
            runs.append([c, c])
    with open(sys.argv[1], 'w', encoding='utf-8') as out:
        out.write('// SPDX-License-Identifier: Apache-2.0\n#include "regex/regex_private.h"\n\n')
        for category in sorted(ranges):
            rows = ', '.join(f'{{0x{first:x}, 0x{last:x}}}' for first, last in ranges[category])
            out.write(f'static const struct char_range ranges_{category}[] = {{{rows}}};\n')
        out.write('const struct unicode_category unicode_categories[] = {\n')
        for category in sorted(ranges):
            out.write(f'    {{"{category}", ranges_{category}, {len(ranges[category])}}},\n')
        out.write('};\n')
        out.write(f'const size_t unicode_category_count = {len(ranges)};\n')


if __name__ == '__main__':
    main()
