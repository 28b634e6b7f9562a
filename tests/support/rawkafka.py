# SPDX-License-Identifier: Apache-2.0
"""rawkafka.py - Kafka frames by hand, for tests that send what no client would."""
import socket
import struct
import time

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS, CREATE_TOPICS, INIT_PRODUCER_ID = 0, 1, 2, 3, 18, 19, 22


def _crc_table():
    table = []
    for i in range(256):
        crc = i
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
        table.append(crc)
    return table


CRC_TABLE = _crc_table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ crc >> 8
    return crc ^ 0xffffffff


def string(text):
    return struct.pack('>h', -1) if text is None else struct.pack('>h', len(text)) + text.encode()


def uvarint(value):
    out = b''
    while value >= 0x80:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def varint(value):
    return uvarint((value << 1 ^ value >> 63) & 0xffffffffffffffff)


def frame(body):
    return struct.pack('>i', len(body)) + body


def request(api, version, body, flexible=False, correlation=7):
    header = struct.pack('>hhi', api, version, correlation) + string('hostile') + (b'\0' if flexible else b'')
    return frame(header + body)


def record(value, key=None, offset_delta=0):
    body = b'\0' + varint(0) + varint(offset_delta)
    body += varint(-1) if key is None else varint(len(key)) + key
    body += varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def batch(records, count=1, codec=0, crc=None, magic=2, last_offset_delta=None, length=None, producer=(-1, -1, -1)):
    """One record batch around the given (perhaps compressed) records; any field may lie."""
    now_ms = int(time.time() * 1000)
    last = count - 1 if last_offset_delta is None else last_offset_delta
    tail = struct.pack('>hiqqqhii', codec, last, now_ms, now_ms, *producer, count) + records
    crc = crc32c(tail) if crc is None else crc
    return struct.pack('>qiibI', 0, len(tail) + 9 if length is None else length, -1, magic, crc) + tail


def produce(topic, record_batch, partition=0, acks=-1, version=7):
    body = string(None) + struct.pack('>hii', acks, 10000, 1) + string(topic)
    body += struct.pack('>iii', 1, partition, len(record_batch)) + record_batch
    return request(PRODUCE, version, body)


def produce_error(response):
    """The error code of the first partition of a Produce v7 response (without its size)."""
    topic_length = struct.unpack('>h', response[8:10])[0]
    return struct.unpack('>h', response[10 + topic_length + 8:10 + topic_length + 10])[0]


class Connection:
    def __init__(self, address, timeout=10):
        self.socket = socket.create_connection(address, timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, size):
        data = b''
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise ConnectionError('closed')
            data += piece
        return data

    def response(self):
        return self.receive(struct.unpack('>i', self.receive(4))[0])

    def ask(self, data):
        self.send(data)
        return self.response()

    def is_closed_within(self, seconds):
        """Whether the other side ends the connection; what it still sends is read and dropped."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
            return True
        except socket.timeout:
            return False
        except OSError:
            return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
