# SPDX-License-Identifier: Apache-2.0
"""kafka.py - Apache Kafka 4.2.0 from the jars that Maven brought, as one node: what the tests are validated against."""
import os
import shutil
import socket
import subprocess
import tempfile
import time

import jvm
from work import run_ok
from broker import BrokerFailed, free_port

START_TIMEOUT_S = 90


class Kafka:
    """Has the face of support/broker.py's Broker, as far as the interop tests use it."""

    def __init__(self, settings):
        self.port = free_port()
        self.data_dir = tempfile.mkdtemp(prefix='strom-kafka-')
        self.properties = os.path.join(self.data_dir, 'server.properties')
        self.log_path = os.path.join(self.data_dir, 'log')
        self.process = None
        controller = free_port()
        lines = {
            'process.roles': 'broker,controller', 'node.id': 1,
            'controller.quorum.voters': f'1@127.0.0.1:{controller}',
            'listeners': f'PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller}',
            'advertised.listeners': f'PLAINTEXT://{self.bootstrap}',
            'controller.listener.names': 'CONTROLLER', 'inter.broker.listener.name': 'PLAINTEXT',
            'log.dirs': os.path.join(self.data_dir, 'logs'), 'offsets.topic.num.partitions': 4,
            'offsets.topic.replication.factor': 1, 'transaction.state.log.replication.factor': 1,
            'transaction.state.log.min.isr': 1, **settings}
        with open(self.properties, 'w', encoding='utf-8') as f:
            f.writelines(f'{name}={value}\n' for name, value in lines.items())

    @property
    def bootstrap(self):
        return f'127.0.0.1:{self.port}'

    def start(self):
        run_ok(jvm.command('kafka.tools.StorageTool', 'format', '-t', 'MkU3OEVBNTcwNTJENDM2Qg', '-c', self.properties))
        with open(self.log_path, 'wb') as log:
            self.process = subprocess.Popen(jvm.command('kafka.Kafka', self.properties, flags=['-Xmx768m']),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                socket.create_connection(('127.0.0.1', self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise BrokerFailed(f'Apache Kafka did not start\n{self.log_tail()}') from None
                time.sleep(0.1)

    def alive(self):
        return self.process.poll() is None

    def log_tail(self):
        with open(self.log_path, encoding='utf-8', errors='replace') as f:
            return f.read()[-2000:]

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.data_dir, ignore_errors=True)
