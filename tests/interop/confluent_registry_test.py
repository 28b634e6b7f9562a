#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""confluent-kafka 2.16's registry client, and its Avro, JSON and Protobuf serializers over Strom's Kafka port."""
import json
import os

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from scenario import BOOTSTRAP, Suite, check, equal, fresh_topic

HTTP = os.environ['STROM_HTTP']
ID = {'name': 'id', 'type': 'long'}
NOTE = {'name': 'note', 'type': ['null', 'string'], 'default': None}
TOTAL = {'name': 'total', 'type': 'double'}


def client():
    """One of its own each time: what it remembers would hide what the registry answers."""
    return SchemaRegistryClient({'url': HTTP, 'max.retries': 0})


def record(*fields):
    return Schema(json.dumps({'type': 'record', 'name': 'Order', 'namespace': 'shop', 'fields': fields}), 'AVRO')


def expect(status, code, action):
    try:
        action()
    except SchemaRegistryError as e:
        equal('status and code', (e.http_status_code, e.error_code), (status, code))
        return
    check(False, f'no error, expected {status} {code}')


def round_trip(topic, serializer, deserializer, values):
    admin = AdminClient({'bootstrap.servers': BOOTSTRAP})
    for done in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        done.result(30)
    context = SerializationContext(topic, MessageField.VALUE)
    producer = Producer({'bootstrap.servers': BOOTSTRAP, 'enable.idempotence': True})
    for value in values:
        producer.produce(topic, serializer(value, context))
    equal('left over', producer.flush(30), 0)
    consumer = Consumer({'bootstrap.servers': BOOTSTRAP, 'group.id': topic, 'auto.offset.reset': 'earliest'})
    consumer.subscribe([topic])
    got = []
    while len(got) < len(values):
        message = consumer.poll(30)
        check(message is not None and message.error() is None, f'no message: {message and message.error()}')
        got.append(deserializer(message.value(), context))
    consumer.close()
    return got


def evolve():
    subject = fresh_topic('sr-evolve')
    one = client().register_schema(subject, record(ID))
    two = client().register_schema(subject, record(ID, NOTE))
    check(two > one, f'ids {one}, {two}')
    equal('the first again', client().register_schema(subject, record(ID)), one)
    equal('versions', client().get_versions(subject), [1, 2])
    equal('latest', client().get_latest_version(subject).version, 2)
    equal('look up', client().lookup_schema(subject, record(ID)).version, 1)
    equal('by id', len(json.loads(client().get_schema(two).schema_str)['fields']), 2)
    expect(409, 409, lambda: client().register_schema(subject, record(ID, NOTE, TOTAL)))
    equal('compatible', client().test_compatibility(subject, record(ID, NOTE, TOTAL)), False)
    client().set_compatibility(subject, 'NONE')
    equal('level', client().get_compatibility(subject), 'NONE')
    client().register_schema(subject, record(ID, NOTE, TOTAL))
    expect(404, 40401, lambda: client().get_versions(fresh_topic('none')))
    expect(422, 42201, lambda: client().register_schema(subject, Schema('{"type":"nonsense"}', 'AVRO')))


def delete():
    subject = fresh_topic('sr-delete')
    client().register_schema(subject, record(ID))
    client().register_schema(subject, record(ID, NOTE))
    equal('version', client().delete_version(subject, 1), 1)
    equal('left', client().get_versions(subject), [2])
    expect(404, 40405, lambda: client().delete_subject(subject, permanent=True))
    equal('softly', client().delete_subject(subject), [2])
    check(subject not in client().get_subjects(), 'the subject is still listed')
    equal('for good', client().delete_subject(subject, permanent=True), [1, 2])


def references():
    base, subject = fresh_topic('sr-address'), fresh_topic('sr-person')
    address = {'type': 'record', 'name': 'shop.Address', 'fields': [{'name': 'street', 'type': 'string'}]}
    person = {'type': 'record', 'name': 'shop.Person', 'fields': [{'name': 'home', 'type': 'shop.Address'}]}
    client().register_schema(base, Schema(json.dumps(address), 'AVRO'))
    schema = Schema(json.dumps(person), 'AVRO', [SchemaReference('shop.Address', base, 1)])
    found = client().get_schema(client().register_schema(subject, schema))
    equal('references', [(r.name, r.subject, r.version) for r in found.references], [('shop.Address', base, 1)])
    expect(422, 42206, lambda: client().delete_subject(base))
    serializer = AvroSerializer(client(), schema, conf={'auto.register.schemas': False, 'use.latest.version': True,
                                                        'subject.name.strategy': lambda *_: subject})
    topic = fresh_topic('sr-refs')
    values = [{'home': {'street': 'a'}}]
    equal('values', round_trip(topic, serializer, AvroDeserializer(client(), schema), values), values)


def normalize():
    subject = fresh_topic('sr-normal')
    odd = Schema('{"fields":[{"type":{"type":"long"},"name":"id"}],"name":"shop.Order","type":"record"}', 'AVRO')
    first = client().register_schema(subject, record(ID), normalize_schemas=True)
    equal('the same', client().register_schema(subject, odd, normalize_schemas=True), first)


def avro():
    topic = fresh_topic('sr-avro')
    values = [{'id': 1, 'note': 'first'}, {'id': 2, 'note': None}]
    text = record(ID, NOTE).schema_str
    equal('values', round_trip(topic, AvroSerializer(client(), text), AvroDeserializer(client(), text), values), values)
    newer = record(ID, NOTE, {**TOTAL, 'default': 0.5}).schema_str
    reader = AvroDeserializer(client(), newer)
    bare = AvroSerializer(client(), text)({'id': 3, 'note': None}, SerializationContext(topic, MessageField.VALUE))
    equal('read with a newer schema', reader(bare, SerializationContext(topic, MessageField.VALUE))['total'], 0.5)


def json_schema():
    topic = fresh_topic('sr-json')
    text = json.dumps({'$schema': 'http://json-schema.org/draft-07/schema#', 'title': 'Order', 'type': 'object',
                       'properties': {'id': {'type': 'integer'}, 'note': {'type': 'string'}}, 'required': ['id']})
    values = [{'id': 1, 'note': 'first'}, {'id': 2}]
    equal('values', round_trip(topic, JSONSerializer(text, client()), JSONDeserializer(text), values), values)


def protobuf():
    topic = fresh_topic('sr-proto')
    file = descriptor_pb2.FileDescriptorProto(name=f'{topic}.proto', package='shop', syntax='proto3')
    order = file.message_type.add(name='Order')
    order.field.add(name='id', number=1, type=3, label=1)
    order.field.add(name='note', number=2, type=9, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName('shop.Order'))
    conf = {'use.deprecated.format': False}
    writer, reader = ProtobufSerializer(kind, client(), conf), ProtobufDeserializer(kind, conf, client())
    got = round_trip(topic, writer, reader, [kind(id=1, note='first'), kind()])
    equal('values', [(v.id, v.note) for v in got], [(1, 'first'), (0, '')])
    check('message Order {' in client().get_latest_version(f'{topic}-value').schema.schema_str, 'it is not printed')


def main():
    suite = Suite('confluent-registry')
    for scenario in (evolve, delete, references, normalize, avro, json_schema, protobuf):
        suite.run(scenario.__name__, scenario)
    suite.end()


if __name__ == '__main__':
    main()
