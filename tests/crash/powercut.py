#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""powercut.py - the power goes under load: an ext4 in a loop file is shut down without flushing its journal
(FS_IOC_SHUTDOWN), so that everything that was not synced is gone. Then: no acknowledged record lost, none doubled,
order kept. Needs root and a loop device; says so where there is none.

  tests/crash/powercut.py --broker build/src/server/strom --runs 3 [--seed N]
"""
import argparse
import fcntl
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

from load import Load, Wrong

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from broker import Broker, BrokerFailed  # noqa: E402

FS_IOC_SHUTDOWN = 0x8004587d  # _IOR('X', 125, __u32)
GOING_NOLOGFLUSH = 2  # neither data nor journal is flushed
IMAGE_BYTES = 2 << 30  # sparse


class CannotCut(Exception):
    """This machine cannot do it; the text says why."""


def command(*arguments):
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise CannotCut(f'{" ".join(arguments)}: {result.stderr.strip() or result.returncode}')


class Disk:
    """An ext4 of its own whose power can be cut."""

    def __init__(self, folder):
        self.image = os.path.join(folder, 'disk.img')
        self.mountpoint = os.path.join(folder, 'disk')
        os.mkdir(self.mountpoint)
        with open(self.image, 'wb') as f:
            f.truncate(IMAGE_BYTES)
        command('mkfs.ext4', '-q', '-F', self.image)
        self.mounted = False

    def mount(self):
        command('mount', '-o', 'loop', self.image, self.mountpoint)
        self.mounted = True

    def cut(self):
        folder = os.open(self.mountpoint, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(folder, FS_IOC_SHUTDOWN, struct.pack('I', GOING_NOLOGFLUSH))
        finally:
            os.close(folder)

    def unmount(self):
        if self.mounted:
            deadline = time.monotonic() + 20
            while subprocess.run(['umount', self.mountpoint], capture_output=True, check=False).returncode != 0:
                if time.monotonic() > deadline:
                    raise CannotCut(f'{self.mountpoint} stays busy')
                time.sleep(0.05)
            self.mounted = False


def probe():
    """Raises CannotCut unless a disk can be made, mounted and cut here."""
    if os.geteuid() != 0:
        raise CannotCut('needs root to mount a loop device')
    if shutil.which('mkfs.ext4') is None:
        raise CannotCut('needs mkfs.ext4 (e2fsprogs)')
    with tempfile.TemporaryDirectory(prefix='strom-probe-') as folder:
        disk = Disk(folder)
        disk.mount()
        try:
            disk.cut()
        except OSError as e:
            raise CannotCut(f'FS_IOC_SHUTDOWN: {e}') from None
        finally:
            disk.unmount()


def one_run(broker, disk, load, chance):
    load.wait_acked(chance.randrange(1, 500))
    time.sleep(chance.random() * 0.1)  # the moment is meant to be arbitrary
    acked = load.total_acked()
    disk.cut()
    died = broker.process.poll() is not None
    if broker.alive():
        broker.kill()
    disk.unmount()
    disk.mount()
    seconds = broker.start()
    load.wait_acked(1)
    load.verify()
    how = 'it had ended itself' if died else 'it was killed then'
    return f'{acked} acknowledged before, {how}, listening again after {seconds * 1000:.0f} ms'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    try:
        probe()
    except CannotCut as e:
        print(f'# skipped: power cuts cannot be made here: {e}', flush=True)
        return 0
    print(f'# power cuts, {options.runs} runs, --seed {options.seed}', flush=True)
    chance = random.Random(options.seed)
    run = 0
    with tempfile.TemporaryDirectory(prefix='strom-power-') as folder:
        disk = Disk(folder)
        disk.mount()
        broker = Broker(options.broker, data_dir=os.path.join(disk.mountpoint, 'strom-data'))
        try:
            broker.start()
            load = Load(broker.bootstrap)
            load.create_topic()
            load.start()
            for run in range(1, options.runs + 1):
                what = one_run(broker, disk, load, chance)
                print(f'ok power {run}: {what}', flush=True)
            load.stop()
            load.verify()
            print(f'ok power all: {sum(load.verified)} records, {load.verified_bytes >> 20} MiB, each once, in order, '
                  f'byte for byte', flush=True)
            return 0
        except (Wrong, BrokerFailed, CannotCut) as e:
            print(f'not ok power {run}: {e}\n{broker.log_tail()}', flush=True)
            return 1
        finally:
            broker.close()
            disk.unmount()


if __name__ == '__main__':
    sys.exit(main())
