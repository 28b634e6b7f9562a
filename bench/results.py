# SPDX-License-Identifier: Apache-2.0
"""results.py - what was measured is kept in a file at once, so that a run that was interrupted goes on (--resume)."""
import json
import os

FOLDER = 'results'


class Results:
    """Of one suite. Only those of the same build, and of the same options, are used again."""

    def __init__(self, build, suite, same, is_resumed):
        os.makedirs(os.path.join(build, FOLDER), exist_ok=True)
        self.path = os.path.join(build, FOLDER, suite + '.json')
        self.same, self.found = same, {}
        if is_resumed and os.path.exists(self.path):
            with open(self.path, encoding='utf-8') as f:
                old = json.load(f)
            self.found = old['found'] if old['same'] == same else {}

    def get(self, name):
        return self.found.get(name)

    def keep(self, name, value):
        self.found[name] = value
        beside = self.path + '.new'
        with open(beside, 'w', encoding='utf-8') as f:
            json.dump({'same': self.same, 'found': self.found}, f)
        os.replace(beside, self.path)
        return value
