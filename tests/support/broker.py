# SPDX-License-Identifier: Apache-2.0
"""broker.py - starts, watches, kills and stops a real `strom serve` for the tests, on free ports of 127.0.0.1."""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

START_TIMEOUT_S = 30
FREE_PORT_MIN, FREE_PORT_END = 10000, 32768  # net.ipv4.ip_local_port_range begins behind them
MEMORY = '/dev/shm'
MEMORY_BYTES = 4 << 30  # that has to be free there
STOP_TIMEOUT_S = 30


class BrokerFailed(Exception):
    """The broker did not start, or died; the text ends with the tail of its log."""


def free_port():
    """A port that nobody listens on now. Below those that Linux gives to clients: while a broker is being started
    again, no connection of some other test takes its place."""
    chance = random.SystemRandom()
    for _ in range(1000):
        port = chance.randrange(FREE_PORT_MIN, FREE_PORT_END)
        with socket.socket() as s:
            try:
                s.bind(('127.0.0.1', port))
                return port
            except OSError:
                pass
    raise AssertionError('no port is free')


def data_folder(in_memory):
    """A new one. In memory if asked and there is room: for tests that a slow disk would only disturb."""
    has_room = in_memory and os.path.isdir(MEMORY) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES
    return tempfile.mkdtemp(prefix='strom-test-', dir=MEMORY if has_room else None)


class Broker:
    """One broker with its own data directory (removed at the end if it was made here)."""

    def __init__(self, binary, data_dir=None, settings=None, wrapper=(), in_memory=False):
        self.binary = os.path.abspath(binary)
        self.owns_data = data_dir is None
        self.data_dir = data_dir or data_folder(in_memory)
        self.settings = dict(settings or {})
        self.port = free_port()
        self.http_port = free_port()
        self.log_path = tempfile.mktemp(prefix='strom-log-')
        self.process = None
        self.wrapper = list(wrapper)

    @property
    def bootstrap(self):
        return f'127.0.0.1:{self.port}'

    @property
    def http(self):
        return f'http://127.0.0.1:{self.http_port}'

    def start(self):
        """Starts it and returns the seconds until it accepted a connection."""
        settings = {'data.dir': self.data_dir, 'listeners': f'PLAINTEXT://127.0.0.1:{self.port}',
                    'http.listeners': f'http://127.0.0.1:{self.http_port}', **self.settings}
        command = self.wrapper + [self.binary, 'serve']
        for name, value in settings.items():
            command += ['--set', f'{name}={value}']
        begin = time.monotonic()
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while True:
            if self.process.poll() is not None:
                raise BrokerFailed(f'exit code {self.process.returncode} at start\n{self.log_tail()}')
            try:
                socket.create_connection(('127.0.0.1', self.port), timeout=1).close()
                return time.monotonic() - begin
            except OSError:
                if time.monotonic() - begin > START_TIMEOUT_S:
                    raise BrokerFailed(f'no answer within {START_TIMEOUT_S} s\n{self.log_tail()}') from None
                time.sleep(0.002)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM; returns its exit code."""
        if not self.alive():
            return self.process.returncode if self.process else None
        self.process.terminate()
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BrokerFailed(f'did not stop within {STOP_TIMEOUT_S} s of SIGTERM\n{self.log_tail()}') from None

    def rss_bytes(self):
        return self._status_bytes('VmRSS')

    def rss_peak_bytes(self):
        return self._status_bytes('VmHWM')

    def _status_bytes(self, field):
        with open(f'/proc/{self.process.pid}/status', encoding='ascii') as f:
            for line in f:
                if line.startswith(field + ':'):
                    return int(line.split()[1]) * 1024
        return 0

    def cpu_seconds(self):
        with open(f'/proc/{self.process.pid}/stat', encoding='ascii') as f:
            fields = f.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def health(self):
        with urllib.request.urlopen(self.http + '/health', timeout=5) as response:
            return json.load(response)

    def log_tail(self, lines=30):
        try:
            with open(self.log_path, encoding='utf-8', errors='replace') as f:
                return ''.join(f.readlines()[-lines:])
        except FileNotFoundError:
            return ''

    def close(self):
        if self.alive():
            self.kill()
        if self.owns_data:
            shutil.rmtree(self.data_dir, ignore_errors=True)
        if os.path.exists(self.log_path):
            os.unlink(self.log_path)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()
