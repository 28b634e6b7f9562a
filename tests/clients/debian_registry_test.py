#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""debian_registry_test.py - confluent-kafka 1.7, as Debian 12 has it: both of its registry clients (the older one reads
no more of a registration's answer than the id), with Avro, JSON and Protobuf serializers over Strom's Kafka port."""
import json
import os
import warnings

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.avro import loads
from confluent_kafka.avro.cached_schema_registry_client import CachedSchemaRegistryClient
from confluent_kafka.avro.serializer.message_serializer import MessageSerializer
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from scenario import BOOTSTRAP, Suite, equal, fresh_topic

HTTP = os.environ['STROM_HTTP']
COMMON = {'bootstrap.servers': BOOTSTRAP, 'broker.address.family': 'v4'}
ID = {'name': 'id', 'type': 'long'}
NOTE = {'name': 'note', 'type': ['null', 'string'], 'default': None}
MUST = {'name': 'must', 'type': 'string'}


def record(*fields):
    return json.dumps({'type': 'record', 'name': 'Order', 'namespace': 'shop', 'fields': fields})


def through_kafka(topic, payloads):
    admin = AdminClient(COMMON)
    for done in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        done.result(30)
    producer = Producer(COMMON)
    for payload in payloads:
        producer.produce(topic, payload)
    equal('left over', producer.flush(30), 0)
    consumer = Consumer({**COMMON, 'group.id': topic, 'auto.offset.reset': 'earliest'})
    consumer.subscribe([topic])
    got = []
    while len(got) < len(payloads):
        message = consumer.poll(30)
        assert message is not None and message.error() is None, message and message.error()
        got.append(message.value())
    consumer.close()
    return got


def old_client():
    """confluent_kafka.avro, which was the only one until 1.4."""
    topic = fresh_topic('debian-old')
    client = CachedSchemaRegistryClient({'url': HTTP})
    first, second = loads(record(ID)), loads(record(ID, NOTE))
    equal('unknown', client.get_latest_schema(topic + '-value'), (None, None, None))
    serializer = MessageSerializer(client)
    values = [{'id': i} for i in range(20)]
    payloads = [serializer.encode_record_with_schema(topic, first, value) for value in values]
    payloads += [serializer.encode_record_with_schema(topic, second, {'id': 99, 'note': 'x'})]
    fresh = MessageSerializer(CachedSchemaRegistryClient({'url': HTTP}))
    got = [fresh.decode_message(payload) for payload in through_kafka(topic, payloads)]
    equal('values', got, [*values, {'id': 99, 'note': 'x'}])
    schema_id, schema, version = client.get_latest_schema(topic + '-value')
    equal('latest', (str(schema), version), (str(second), 2))
    equal('by id', str(CachedSchemaRegistryClient({'url': HTTP}).get_by_id(schema_id)), str(second))
    equal('version', client.get_version(topic + '-value', first), 1)
    equal('compatible', client.test_compatibility(topic + '-value', loads(record(ID, NOTE))), True)
    equal('not compatible', client.test_compatibility(topic + '-value', loads(record(ID, MUST))), False)
    equal('level', client.update_compatibility('FULL', topic + '-value'), 'FULL')
    equal('level', client.get_compatibility(topic + '-value'), 'FULL')
    equal('deleted', client.delete_subject(topic + '-value'), [1, 2])


def evolve():
    subject = fresh_topic('debian')
    client = SchemaRegistryClient({'url': HTTP})
    first = client.register_schema(subject, Schema(record(ID), 'AVRO'))
    second = client.register_schema(subject, Schema(record(ID, NOTE), 'AVRO'))
    assert second > first, (first, second)
    try:
        client.register_schema(subject, Schema(record(ID, MUST), 'AVRO'))
    except SchemaRegistryError as e:
        equal('status', e.http_status_code, 409)
    else:
        raise AssertionError('an incompatible schema was registered')
    latest = client.get_latest_version(subject)
    equal('latest', (latest.schema_id, latest.version, json.loads(latest.schema.schema_str)['name']),
          (second, 2, 'Order'))
    found = client.lookup_schema(subject, Schema(record(ID), 'AVRO'))
    equal('look-up', (found.schema_id, found.version), (first, 1))
    equal('versions', client.get_versions(subject), [1, 2])
    assert subject in client.get_subjects()
    client.set_compatibility(subject, 'NONE')
    equal('level', client.get_compatibility(subject), 'NONE')
    base = fresh_topic('debian-base')
    client.register_schema(base, Schema(record(ID), 'AVRO'))
    uses = Schema('{"type":"record","name":"Bill","fields":[{"name":"order","type":"shop.Order"}]}', 'AVRO',
                  [SchemaReference('shop.Order', base, 1)])
    found = SchemaRegistryClient({'url': HTTP}).get_schema(client.register_schema(fresh_topic('debian-bill'), uses))
    equal('references', [(r.name, r.subject, r.version) for r in found.references], [('shop.Order', base, 1)])
    equal('deleted', client.delete_version(subject, 1), 1)
    equal('deleted', client.delete_subject(subject), [2])


def json_schema():
    topic = fresh_topic('debian-json')
    schema = json.dumps({'title': 'Order', 'type': 'object', 'required': ['id'],
                         'properties': {'id': {'type': 'integer'}, 'tags': {'type': 'array'}}})
    serializer = JSONSerializer(schema, SchemaRegistryClient({'url': HTTP}))
    context = SerializationContext(topic, MessageField.VALUE)
    values = [{'id': i, 'tags': ['a'] * i} for i in range(10)]
    deserializer = JSONDeserializer(schema)
    got = through_kafka(topic, [serializer(value, context) for value in values])
    equal('values', [deserializer(payload, context) for payload in got], values)
    equal('type', SchemaRegistryClient({'url': HTTP}).get_latest_version(topic + '-value').schema.schema_type, 'JSON')


def protobuf():
    """Its serializer sends the file as a serialized descriptor, and registers what that imports."""
    file = descriptor_pb2.FileDescriptorProto(name='debian_order.proto', package='shop', syntax='proto3',
                                              dependency=['google/protobuf/timestamp.proto'])
    message = file.message_type.add(name='Order')
    message.field.add(name='id', number=1, type=descriptor_pb2.FieldDescriptorProto.TYPE_INT64, label=1)
    message.field.add(name='at', number=2, type=descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE, label=1,
                      type_name='.google.protobuf.Timestamp')
    from google.protobuf import timestamp_pb2  # noqa: F401  (the pool has to know it)
    pool = descriptor_pool.Default()
    pool.Add(file)
    order = message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName('shop.Order'))
    topic = fresh_topic('debian-proto')
    context = SerializationContext(topic, MessageField.VALUE)
    serializer = ProtobufSerializer(order, SchemaRegistryClient({'url': HTTP}))
    values = [order(id=i, at={'seconds': i}) for i in range(10)]
    got = through_kafka(topic, [serializer(value, context) for value in values])
    deserializer = ProtobufDeserializer(order)
    equal('values', [deserializer(payload, context) for payload in got], values)
    schema = SchemaRegistryClient({'url': HTTP}).get_latest_version(topic + '-value').schema
    equal('type', schema.schema_type, 'PROTOBUF')
    assert 'message Order' in schema.schema_str, schema.schema_str


def main():
    warnings.simplefilter('ignore')  # what they say of their own age
    suite = Suite('debian-registry')
    for scenario in (old_client, evolve, json_schema, protobuf):
        suite.run(scenario.__name__, scenario)
    suite.end()


if __name__ == '__main__':
    main()
