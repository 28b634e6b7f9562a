# SPDX-License-Identifier: Apache-2.0
"""usage.py - the scenarios of help, usage, completion and finding a broker, played by cli_test.py."""
import os
import re
import shutil
import socket
import subprocess
import tempfile

from broker import Broker, free_port
from program import TIMEOUT_S, has, same

COMMANDS = [['topic', verb] for verb in ('create', 'list', 'describe', 'alter', 'delete', 'trim')] + \
    [['group', verb] for verb in ('list', 'describe', 'reset', 'delete')] + \
    [['quota', verb] for verb in ('list', 'set', 'remove')] + \
    [['config', verb] for verb in ('list', 'get', 'set', 'unset', 'alter', 'describe')] + \
    [['schema', verb] for verb in ('list', 'get', 'diff', 'register', 'check', 'validate', 'delete', 'config', 'mode',
                                   'infer', 'import')] + \
    [[name] for name in ('serve', 'produce', 'consume', 'cluster', 'dump', 'repair', 'completion', 'help', 'version')]


def test_help(cli, _broker):
    for command in COMMANDS:
        page = cli.text(*command, '--help')
        has(page, 'strom ' + ' '.join(command), 'USAGE', 'FLAGS', 'EXAMPLES', 'EXIT CODES', '--help')
        same(cli.text('help', *command), page)
        same(cli.text(*command, '--nonsense', '-h'), page)
        long = [line for line in page.splitlines() if len(line) > 100]
        same(long, [])
    has(cli.text('topic', '--help'), 'create', 'trim')
    cli.run('topic', expect=2)
    has(cli.text('--help'), 'serve', *(command[0] for command in COMMANDS))
    has(cli.run(expect=2)[1], 'COMMANDS')
    has(cli.error('help', 'topic', 'creat', expect=2), 'creat')
    has(cli.error('serve', '--sett', 'a=b', expect=2), 'did you mean --set')
    has(cli.run('serve', '--set', 'no.such.setting=1', expect=2)[1], 'no.such.setting')
    has(cli.text('version'), 'strom 0')
    assert cli.json('version')['version'][0].isdigit()


def test_usage(cli, _broker):
    has(cli.error('tpic', expect=2), 'no command', 'did you mean `strom topic`')
    has(cli.error('sevre', expect=2), 'did you mean `strom serve`')
    has(cli.error('topic', 'creat', expect=2), 'did you mean `strom topic create`')
    has(cli.error('topic', 'create', expect=2), 'NAME is missing')
    has(cli.error('topic', 'create', 'a', 'b', expect=2), 'one argument too many')
    has(cli.error('topic', 'create', 'a', '--partition', '3', expect=2), 'did you mean --partitions')
    has(cli.error('topic', 'create', 'a', '--partitions', 'x', expect=2), 'wants a number')
    has(cli.error('topic', 'create', 'a', '--config', 'x', expect=2), 'key=value')
    has(cli.error('topic', 'alter', 'a', expect=2), 'nothing to change')
    has(cli.error('topic', 'trim', 'a', '--partition', '0', expect=2), 'needed')
    has(cli.error('topic', 'trim', 'a', '--partition', '0', '--offset', '-4', expect=2), '--offset')
    has(cli.error('produce', 'a', '--compression', 'rar', expect=2), 'zstd')
    has(cli.error('produce', 'a', '--acks', '2', expect=2), '--acks')
    has(cli.error('produce', 'a', '--key', 'k', '--key-separator', ':', expect=2), 'exclude')
    has(cli.error('produce', 'a', '--header', 'x', expect=2), 'key=value')
    has(cli.error('consume', 'a', '--group', 'g', '--partition', '1', expect=2), 'exclude')
    has(cli.error('consume', 'a', '--group', 'g', '--offset', '-5', expect=2), 'strom group reset')
    has(cli.error('consume', 'a', '--group', '', expect=2), 'wants a name')
    has(cli.error('consume', 'a', '--verbose', expect=2), 'give --group')
    has(cli.error('consume', 'a', 'b', '--partition', '1', expect=2), 'single topic')
    has(cli.error('consume', 'a', '--format', '%q', expect=2), 'after a %')
    has(cli.error('consume', 'a', '--exit', '--follow', expect=2), 'exclude')
    has(cli.error('config', 'alter', '--config', 'a=b', expect=2), '--topic NAME or --broker')
    has(cli.error('config', 'set', 'a=b', expect=2), '--topic NAME or --broker')
    has(cli.error('config', 'set', 'a', '--broker', expect=2), 'KEY=VALUE')
    has(cli.error('config', 'list', '--id', '1', expect=2), '--broker too')
    has(cli.error('topic', 'trim', 'a', expect=2), 'needed')
    has(cli.error('topic', 'trim', 'a', '--before', 'noon', expect=2), '--before')
    has(cli.error('config', 'describe', '--topic', 't', '--broker', expect=2), 'exclude')
    has(cli.error('topic', 'list', '--bootstrap-server', 'host:notaport', expect=2), 'host:port')
    has(cli.error('topic', 'list', '--timeout-ms', '0', expect=2), '--timeout-ms')


def test_manual(cli, _broker):
    """The manual has every command and is roff that groff has nothing to say against."""
    pages = [cli.run('help', '--man')[0]] + [cli.run('help', '--man', *command)[0] for command in COMMANDS]
    for command in COMMANDS:
        has(pages[0].decode(), '.SS "strom ' + ' '.join(command))
    if shutil.which('groff') is None:
        print('    groff is not installed: only the words were looked at')
        return
    for page in pages:
        done = subprocess.run(['groff', '-man', '-Tutf8', '-ww'], input=page, capture_output=True, timeout=TIMEOUT_S,
                              check=True)
        same(done.stderr, b'')
        has(re.sub('.\b', '', done.stdout.decode()), 'NAME', 'EXIT STATUS')


def complete(cli, line, bootstrap=None):
    """What bash offers at the end of a line, by the script of `strom completion bash`."""
    script = cli.text('completion', 'bash')
    script += '\nCOMP_LINE=$1 COMP_POINT=${#1}; _strom; printf "%s\\n" "${COMPREPLY[@]}"'
    env = {**cli.env, 'PATH': os.path.dirname(cli.binary) + ':' + os.environ['PATH']}
    if bootstrap:
        env['STROM_BOOTSTRAP'] = bootstrap
    done = subprocess.run(['bash', '-c', script, 'bash', line], capture_output=True, env=env, timeout=TIMEOUT_S,
                          check=True)
    same(done.stderr, b'')
    return done.stdout.decode().split()


def test_completion(cli, broker):
    cli.run('topic', 'create', 'complete-a')
    cli.run('topic', 'create', 'complete-b')
    same(complete(cli, 'strom con'), ['consume', 'config', 'contract'])
    same(complete(cli, 'strom topic '), ['create', 'list', 'describe', 'alter', 'delete', 'trim'])
    same(complete(cli, 'strom produce t --compression z'), ['zstd'])
    same(complete(cli, 'strom produce t --compression=g'), ['gzip'])
    has(' '.join(complete(cli, 'strom produce t --')), '--key-separator', '--bootstrap-server', '--help')
    same(complete(cli, 'strom consume complete-'), ['complete-a', 'complete-b'])
    line = f'strom topic delete --bootstrap-server {broker.bootstrap} complete-a complete-b'
    same(complete(cli, line, '127.0.0.1:1'), ['complete-b'])
    same(complete(cli, 'strom consume complete-', f'127.0.0.1:{free_port()}'), [])
    same(complete(cli, 'strom topic create x --config retention.m'), ['retention.ms='])
    same(complete(cli, 'strom topic create x --config=retention.m'), ['retention.ms='])
    same(complete(cli, 'strom help top'), ['topic'])
    same(complete(cli, 'strom completion '), ['bash', 'zsh', 'fish'])
    same(complete(cli, 'strom nonsense '), [])
    with tempfile.TemporaryDirectory() as there:
        with open(f'{there}/some.wal', 'wb'):
            same(complete(cli, f'strom dump {there}/so'), [f'{there}/some.wal'])
            same(complete(cli, f'strom produce t --file={there}/so'), [f'{there}/some.wal'])
    has(cli.error('completion', 'tcsh', expect=2), 'bash, zsh and fish')
    for shell in ('zsh', 'fish'):
        if shutil.which(shell) is not None:
            subprocess.run([shell, '-n', '/dev/stdin'], input=cli.run('completion', shell)[0], check=True)


def test_unreachable(cli, _broker):
    closed = f'127.0.0.1:{free_port()}'
    for command in (['topic', 'list'], ['cluster'], ['produce', 't'], ['consume', 't'], ['config', 'describe']):
        err = cli.error(*command, expect=3, bootstrap=closed)
        has(err, 'cannot reach ' + closed, 'refused', 'strom serve')
    has(cli.error('topic', 'list', '--bootstrap-server', 'no-such-host.invalid', expect=3), 'no-such-host.invalid')


def test_serve_taken(cli, _broker):
    """A port that somebody has, or a data directory: the error says which setting, who, and what to do."""
    with socket.socket() as taken, tempfile.TemporaryDirectory() as there:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        for setting, scheme in (('listeners', 'PLAINTEXT'), ('http.listeners', 'http')):
            sets = {'listeners': 'PLAINTEXT://127.0.0.1:0', 'http.listeners': 'http://127.0.0.1:0', 'data.dir': there,
                    setting: f'{scheme}://127.0.0.1:{port}'}
            words = [word for key, value in sets.items() for word in ('--set', f'{key}={value}')]
            err = cli.run('serve', *words, expect=1)[1]
            has(err, f'strom serve: {setting}: listen on 127.0.0.1:{port}: Address already in use\n', '  hint: ',
                f"`ss -ltnp 'sport = :{port}'`", f'--set {setting}={scheme}://127.0.0.1:PORT')
    with Broker(cli.binary) as own:
        has(cli.run('serve', '--set', f'data.dir={own.data_dir}', expect=1)[1], 'in use by another process\n  hint: ',
            '--set data.dir=')


def test_bootstrap_list(cli, broker):
    both = f'127.0.0.1:{free_port()},{broker.bootstrap}'
    assert cli.json('cluster', bootstrap=both)['answered_by'] == broker.bootstrap
    assert cli.json('cluster', '--bootstrap-server', broker.bootstrap, bootstrap='127.0.0.1:1')
