#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wire_seeds.py GOLDEN OUTDIR - the golden messages as inputs of fuzz_wire: one file each, see fuzz_wire.c."""

import os
import sys


def main(golden, folder):
    os.makedirs(folder, exist_ok=True)
    with open(golden, encoding='ascii') as file:
        for number, line in enumerate(file):
            if line.startswith('#'):
                continue
            key, side, version, data = line.split()
            data = b'' if data == '-' else bytes.fromhex(data)
            head = bytes([int(key), int(version) | (128 if side == 'response' else 0)])
            with open(os.path.join(folder, '%s_%s_v%s_%d' % (key, side, version, number)), 'wb') as seed:
                seed.write(head + data)


if __name__ == '__main__':
    main(*sys.argv[1:])
