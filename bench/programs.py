# SPDX-License-Identifier: Apache-2.0
"""programs.py - what the bench runs and looks at: servers, a crowd of group members, times and memory."""
import json
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

OTHERS_CPU_MAX = 0.05  # of one CPU, used by other programs: more says nothing


class Failed(Exception):
    pass


class Server:
    """A probe or a broker that runs on the server's CPU."""

    def __init__(self, bench, args, name):
        self.bench, self.name = bench, name
        self.log = tempfile.TemporaryFile(dir=bench.data)
        self.started = time.monotonic()
        self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        preexec_fn=lambda: bench.prepare_child(bench.cpus[0]))
        bench.servers.append(self)

    def wait_for(self, port, answer=False, timeout=60.0):
        """Returns the milliseconds from the start until the port accepts, or answers an ApiVersions request."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise Failed(f'{self.name} ended with {self.process.returncode}: {self.text()[-500:]}')
            try:
                with socket.create_connection(('127.0.0.1', port), 10) as s:
                    if answer:
                        api_versions(s)
                    return (time.monotonic() - self.started) * 1000
            except ConnectionError:
                time.sleep(0.0005)
        raise Failed(f'{self.name} did not answer within {timeout} s')

    def text(self):
        self.log.seek(0)
        return self.log.read().decode(errors='replace')

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise Failed(f'{self.name} did not stop within 60 s') from None
        self.log.close()
        if self in self.bench.servers:
            self.bench.servers.remove(self)

    def rss_bytes(self):
        with open(f'/proc/{self.process.pid}/status', encoding='ascii', errors='replace') as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith('VmRSS'))

    def most_rss_bytes(self):
        """Since its start."""
        with open(f'/proc/{self.process.pid}/status', encoding='ascii', errors='replace') as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith('VmHWM'))

    def written_bytes(self):
        """That it had the kernel write to the disk, without those of files that went before they were written."""
        with open(f'/proc/{self.process.pid}/io', encoding='ascii') as f:
            fields = dict(line.split(': ') for line in f)
        return int(fields['write_bytes']) - int(fields['cancelled_write_bytes'])

    def pss_bytes(self):
        with open(f'/proc/{self.process.pid}/smaps_rollup', encoding='ascii', errors='replace') as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith('Pss:'))

    def cpu_percent(self, seconds):
        """Of one CPU, and wake-ups per second, over so many seconds."""
        ns, switches = self.cpu_ns_and_switches()
        time.sleep(seconds)
        ns_after, switches_after = self.cpu_ns_and_switches()
        return (ns_after - ns) / 1e7 / seconds, (switches_after - switches) / seconds

    def cpu_ns_and_switches(self):
        ns = switches = 0
        for task in os.listdir(f'/proc/{self.process.pid}/task'):
            base = f'/proc/{self.process.pid}/task/{task}'
            with open(f'{base}/schedstat', encoding='ascii') as f:
                ns += int(f.read().split()[0])
            with open(f'{base}/status', encoding='ascii', errors='replace') as f:
                switches += sum(int(line.split()[1]) for line in f if line.startswith('voluntary_ctxt'))
        return ns, switches

    def user_ticks(self):
        with open(f'/proc/{self.process.pid}/stat', encoding='ascii', errors='replace') as f:
            return int(f.read().rsplit(') ', 1)[1].split()[11])


class Crowd:
    """Group members, or only connections: bench/members.c. Other loads go first on the CPU, unless it is not behind."""

    def __init__(self, bench, port, behind=True, **options):
        args = bench.load_args('members', port, **options)
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, preexec_fn=lambda: bench.prepare_child(bench.cpus[1], behind))
        bench.crowds.append(self)
        self.bench = bench
        self.connected = self.answer()

    def answer(self, timeout=600):
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        line = self.process.stdout.readline() if ready else ''
        if not line:
            self.process.kill()
            raise Failed(f'members: {self.process.communicate()[1].strip()[-500:] or "no answer"}')
        return json.loads(line)

    def begin(self, command):
        self.process.stdin.write(command + '\n')
        self.process.stdin.flush()

    def do(self, command):
        self.begin(command)
        return self.answer()

    def close(self):
        self.process.kill()
        self.process.communicate()
        if self in self.bench.crowds:
            self.bench.crowds.remove(self)


def ask(s, key, version, body=b''):
    """Sends a request and returns the answer from its correlation id on, which is 1."""
    client = b'bench'
    request = struct.pack('>hhih', key, version, 1, len(client)) + client + body
    s.sendall(struct.pack('>i', len(request)) + request)
    return read_exactly(s, struct.unpack('>i', read_exactly(s, 4))[0])


def api_versions(s):
    if struct.unpack('>ih', ask(s, 18, 0)[:6]) != (1, 0):
        raise Failed('ApiVersions was refused')


def stable_groups(port):
    """How many groups have members, by ListGroups v4: tags, then the states to list."""
    state = b'Stable'
    with socket.create_connection(('127.0.0.1', port), 30) as s:
        answer = ask(s, 16, 4, bytes([0, 2, len(state) + 1]) + state + b'\0')
    if struct.unpack('>iBih', answer[:11]) != (1, 0, 0, 0):
        raise Failed('ListGroups was refused')
    count = shift = 0
    for byte in answer[11:]:
        count |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return count - 1
    raise Failed('ListGroups: a short answer')


def read_exactly(s, size):
    data = b''
    while len(data) < size:
        more = s.recv(size - len(data))
        if not more:
            raise ConnectionResetError('closed')
        data += more
    return data


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def cpu_user_ticks():
    with open('/proc/stat', encoding='ascii') as f:
        fields = f.readline().split()
    return int(fields[1]) + int(fields[2])


def own_user_ticks(servers):
    used = sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return used * os.sysconf('SC_CLK_TCK') + sum(s.user_ticks() for s in servers)


def drop_caches():
    """Empties the page cache; False without the right to."""
    os.sync()
    try:
        with open('/proc/sys/vm/drop_caches', 'w', encoding='ascii') as f:
            f.write('3')
        return True
    except OSError:
        return False


def directory_bytes(path):
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


