#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""zone_table.py OUTPUT: writes the time zones of this machine's IANA database (tzdata) as C tables: for each zone the
changes of its offset, the rule that goes on after the last one, and all names."""
import os
import re
import struct
import sys

FOLDERS = ['/usr/share/zoneinfo', '/usr/lib/zoneinfo', '/usr/share/lib/zoneinfo']
LEFT_OUT = re.compile(r'^(posix|right|localtime|posixrules|Factory|leapseconds|tzdata\.zi|.*\.tab|.*\.list|SECURITY)')


def read_zone(data):
    """The second, 64-bit part of a TZif file (RFC 8536): [(second, offset)], the first offset, the rule's text."""
    def counts(at):
        return struct.unpack('>6l', data[at + 20:at + 44])
    isutc, isstd, leap, times, types, chars = counts(0)
    at = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isutc
    isutc, isstd, leap, times, types, chars = counts(at)
    at += 44
    seconds = struct.unpack(f'>{times}q', data[at:at + times * 8])
    indexes = data[at + times * 8:at + times * 9]
    at += times * 9
    offsets = [struct.unpack('>l', data[at + i * 6:at + i * 6 + 4])[0] for i in range(types)]
    at += types * 6 + chars + leap * 12 + isstd + isutc
    rule = data[at:].decode('ascii').strip()
    return [(s, offsets[i]) for s, i in zip(seconds, indexes)], offsets[0], rule


def parse_offset(text):
    match = re.fullmatch(r'([+-]?)(\d+)(?::(\d+))?(?::(\d+))?', text)
    seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60 + int(match[4] or 0)
    return -seconds if match[1] == '-' else seconds


def parse_rule(text):
    """POSIX TZ: (standard offset, summer offset, (month, week, weekday, seconds) of the beginning, and of the end)."""
    name = r'(?:<[^>]+>|[A-Za-z]+)'
    number = r'[+-]?\d+(?::\d+)*'
    date = rf',M([\d.]+)(?:/({number}))?'
    match = re.fullmatch(rf'{name}({number})(?:{name}({number})?{date}{date})?', text)
    standard = -parse_offset(match[1])
    if match[3] is None:
        return standard, standard, (0, 0, 0, 0), (0, 0, 0, 0)
    summer = -parse_offset(match[2]) if match[2] else standard + 3600
    dates = []
    for date, time in ((match[3], match[4]), (match[5], match[6])):
        dates.append((*map(int, date.split('.')), parse_offset(time) if time else 7200))
    return standard, summer, dates[0], dates[1]


def unique(table, rows):
    key = tuple(rows)
    if key not in table:
        table[key] = len(table)
    return table[key]


def main():
    folder = next((f for f in FOLDERS if os.path.isdir(f)), None)
    if folder is None:
        sys.exit('zone_table.py: no time zones on this machine: install tzdata')
    zones, names = {}, {}
    for path, folders, files in os.walk(folder):
        folders.sort()
        for file in sorted(files):
            name = os.path.relpath(os.path.join(path, file), folder)
            with open(os.path.join(path, file), 'rb') as f:
                data = f.read()
            if LEFT_OUT.match(name) or data[:4] != b'TZif':
                continue
            changes, first, rule = read_zone(data)
            names[name] = unique(zones, (tuple(changes), first, parse_rule(rule)))
    with open(sys.argv[1], 'w', encoding='utf-8') as out:
        out.write('// SPDX-License-Identifier: Apache-2.0\n#include "cel/zone_private.h"\n\n')
        for (changes, _, _), index in zones.items():
            if changes:
                rows = ', '.join(f'{{{second}LL, {offset}}}' for second, offset in changes)
                out.write(f'static const struct zone_change changes_{index}[] = {{{rows}}};\n')
        out.write('const struct zone zones[] = {\n')
        for (changes, first, (standard, summer, begin, end)), index in zones.items():
            rows = f'changes_{index}' if changes else 'NULL'
            dates = ', '.join('{' + ', '.join(map(str, date)) + '}' for date in (begin, end))
            out.write(f'    {{{rows}, {len(changes)}, {first}, {standard}, {summer}, {dates}}},\n')
        out.write('};\nconst struct zone_name zone_names[] = {\n')
        for name in sorted(names):
            out.write(f'    {{"{name}", {names[name]}}},\n')
        out.write('};\n')
        out.write(f'const size_t zone_name_count = {len(names)};\n')


if __name__ == '__main__':
    main()
