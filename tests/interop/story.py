# SPDX-License-Identifier: Apache-2.0
"""story.py - stories: Apache Kafka's tools one after another, with what each has to print. A story is a text file:

  # why                 a comment
  % sort                what is done to the next output: sort | tail N | grep REGEX | drop REGEX, one per line
  % until REGEX         run the next command again until its output matches
  @ plan.json {...}     writes a file that commands call $DIR/plan.json
  $ kafka-topics ...    a command; $B is the broker, and is added as --bootstrap-server where it is not named
  > text                a line for its standard input; `>* 100 text-{}` is a hundred lines with numbers
  & name kafka-...      a command that goes on in the background
  ! name                Ctrl-C for it, then its output
  | text                a line that both Apache Kafka and Strom print
  K text, S text        a line that only Apache Kafka, only Strom prints; a comment says why
  = 1                   the exit code, where it is not 0

Ids, times, ports and measurements are replaced by words like <id>. `run.py --record` runs every story against both
and writes the expected lines anew.
"""
import difflib
import os
import re
import shlex
import shutil
import tempfile
import time

from work import Failure

UNTIL_SECONDS = 30
OUTPUT = ('| ', 'K ', 'S ', '= ', '|', 'K', 'S')
NOISE = re.compile(r'SLF4J|\tat |\t\.\.\. \d+ more|Caused by: ')  # the logger's complaint, and Java's stack traces
NORMAL = [
    (r'\b(TopicId|Cluster ID|ClusterId|[Tt]opic id|directoryId)(:?)\s*[\w-]{22}(?![\w-])', r'\1\2 <id>'),
    (r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', '<uuid>'),
    (r'(?<![\w>-])[\w-]{22}(?= +/127\.0\.0\.1)', '<id>'),
    (r'\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d([:.,]\d+)?Z?', '<time>'),
    (r'\b1[6-9]\d{11}\b', '<ms>'),
    (r'\b\d+(\.\d+)? (records/sec|MB/sec|ms (avg|max|50th|95th|99th|99\.9th))', r'<n> \2'),
    (r'"(avg_throughput|target_throughput)":[\d.]+', r'"\1":<n>'),
    (r'"logDir":"[^"]*"', '"logDir":"<data>"'),
    (r'"log_dirs":\["/[^"]*"\]', '"log_dirs":["<data>"]'),
    (r'^(<time>, <time>, [\d.]+), [\d.]+, (\d+), .*', r'\1, <n>, \2, <n>...'),
    (r'(<ms> *\t)\d+$', r'\1<n>'),
    (r'Epoch: \d+$', 'Epoch: <n>'),
    (r'(\t<ms>\s*\t)\d+ *\t', r'\1<n>\t'),  # for how long a transaction has been open
    (r'^(\d+ *\t\d+ *\t-1 *\t)\d+ *(\t<ms>)', r'\1<n>\2'),  # the last sequence of a producer that goes on
]


class Step:
    """One command of a story and what belongs to it."""

    def __init__(self, before):
        self.before = before      # lines before the command: comments and directives
        self.command = ''         # with its first letter: $, & or !
        self.stdin = []           # lines as written
        self.expected = []        # lines as written, with their first letter


def parse(text):
    """Returns (steps, lines after the last)."""
    steps, before = [], []
    for line in text.splitlines():
        if line[:2] in ('$ ', '& ', '! '):
            steps.append(Step(before))
            steps[-1].command = line
            before = []
        elif line.startswith('>'):
            steps[-1].stdin.append(line)
        elif line.startswith(OUTPUT) and steps and not before:
            steps[-1].expected.append(line)
        else:
            before.append(line)
    return steps, before


def stdin_of(step):
    lines = []
    for line in step.stdin:
        if line.startswith('>*'):
            count, text = line[2:].strip().split(' ', 1)
            lines += [text.replace('{}', str(i)) for i in range(int(count))]
        else:
            lines.append(line[2:])
    return ''.join(line + '\n' for line in lines)


class Player:
    """Plays the steps of one story against one broker."""

    def __init__(self, tools, bootstrap):
        self.tools = tools
        self.bootstrap = bootstrap
        self.directory = tempfile.mkdtemp(prefix='strom-story-')
        self.background = {}

    def arguments(self, text):
        text = text.replace('$DIR', self.directory)
        words = [word.replace('$B', self.bootstrap) for word in shlex.split(text)]
        if '$B' not in text:
            words[1:1] = ['--bootstrap-server', self.bootstrap]
        return words[0], words[1:]

    def normalise(self, text):
        text = text.replace(self.bootstrap, '$B').replace(self.directory, '$DIR')
        text = re.sub(rf'\b{self.bootstrap.rsplit(":", 1)[1]}\b', '<port>', text)
        for pattern, replacement in NORMAL:
            text = re.sub(pattern, replacement, text, flags=re.M)
        return [line.rstrip() for line in text.splitlines() if line.strip() and not NOISE.match(line)]

    def directives(self, step):
        """Writes the files of a step; returns its % lines as (word, argument)."""
        found = []
        for line in step.before:
            if line.startswith('@ '):
                name, content = line[2:].split(' ', 1)
                with open(os.path.join(self.directory, name), 'w', encoding='utf-8') as f:
                    f.write(content)
            elif line.startswith('% '):
                word, _, argument = line[2:].partition(' ')
                found.append((word, argument))
        return found

    def run(self, step):
        try:
            return self.tools.wait(self.begin(step))
        except Failure as e:
            raise Failure(f'{step.command}\n{e}') from None

    def begin(self, step):
        if step.command.startswith('! '):
            number = self.background.pop(step.command[2:])
            self.tools.stop(number)
            return number
        tool, words = self.arguments(step.command[2:])
        return self.tools.start(tool, words, stdin_of(step))

    def play(self, step):
        """Returns the lines that came out, normalised; the last is `= code` if that is not 0."""
        directives = self.directives(step)
        if step.command.startswith('& '):
            name, _, text = step.command[2:].partition(' ')
            tool, words = self.arguments(text)
            self.background[name] = self.tools.start(tool, words, stdin_of(step))
            return []
        until = dict(directives).get('until')
        deadline = time.monotonic() + UNTIL_SECONDS
        code, out = self.run(step)
        while until and not re.search(until, out) and time.monotonic() < deadline:
            code, out = self.run(step)
        lines = self.normalise(out)
        for word, argument in directives:
            if word == 'sort':
                lines.sort()
            elif word == 'tail':
                lines = lines[-int(argument):]
            elif word in ('grep', 'drop'):
                lines = [line for line in lines if bool(re.search(argument, line)) == (word == 'grep')]
            elif word != 'until':
                raise Failure(f'no directive {word}')
        return lines + ([f'= {code}'] if code else [])

    def close(self):
        for number in self.background.values():
            self.tools.stop(number)
            self.tools.wait(number)
        shutil.rmtree(self.directory, ignore_errors=True)


def marked(line, letter):
    return line if line.startswith('= ') and letter == '|' else f'{letter} {line}'


def expected_of(step, letter):
    """What has to come out for the peer with that letter."""
    lines = []
    for line in step.expected:
        if line.startswith('= '):
            lines.append(line)
        elif line[0] in ('|', letter):
            lines.append(line[2:])
    return lines


def check_story(tools, bootstrap, path, letter):
    """Raises Failure with the first step that printed something else."""
    with open(path, encoding='utf-8') as f:
        steps, _ = parse(f.read())
    player = Player(tools, bootstrap)
    try:
        for step in steps:
            got, wanted = player.play(step), expected_of(step, letter)
            if got != wanted:
                difference = difflib.unified_diff(wanted, got, 'expected', 'printed', lineterm='', n=0)
                raise Failure(f'{step.command}\n' + '\n'.join(list(difference)[2:]))
    finally:
        player.close()


def merge(kafka, strom):
    """Lines of both with their letters."""
    lines = []
    for tag, k0, k1, s0, s1 in difflib.SequenceMatcher(None, kafka, strom, autojunk=False).get_opcodes():
        if tag == 'equal':
            lines += [marked(line, '|') for line in kafka[k0:k1]]
        else:
            lines += [marked(line, 'K') for line in kafka[k0:k1]] + [marked(line, 'S') for line in strom[s0:s1]]
    return lines


def record_story(tools, kafka, strom, path):
    """Writes the expected lines of a story as the two peers print them now."""
    with open(path, encoding='utf-8') as f:
        steps, after = parse(f.read())
    players = [Player(tools, kafka), Player(tools, strom)]
    lines = []
    try:
        for step in steps:
            printed = [player.play(step) for player in players]
            lines += step.before + [step.command] + step.stdin + merge(*printed)
    finally:
        for player in players:
            player.close()
    with open(path, 'w', encoding='utf-8') as f:
        f.write('\n'.join(line.rstrip() for line in lines + after) + '\n')
