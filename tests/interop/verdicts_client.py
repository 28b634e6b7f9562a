#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""verdicts_client.py URL CORPUS ANSWER - confluent-kafka's serializers with their rule executors judge each record of
tests/contract/corpus.mjs, and serialise it with the rules switched off. go/verdicts does the same."""
import base64
import copy
import json
import logging
import sys
import urllib.request

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.confluent import meta_pb2  # noqa: F401 - what the schemas import
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.schema_registry.rule_registry import RuleOverride, RuleRegistry
from confluent_kafka.schema_registry.rules.cel.cel_executor import CelExecutor
from confluent_kafka.schema_registry.rules.cel.cel_field_executor import CelFieldExecutor
from confluent_kafka.schema_registry.serde import RuleAction, RuleConditionError, ValidationRulesExecution
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError
from google.protobuf import descriptor_pool, message_factory


class Watch:
    """The rule that ran last, and how it failed."""
    rule = why = None


def watched(executor):
    class Watched(executor):
        def transform(self, ctx, message):
            Watch.rule, Watch.why = ctx.rule.name, None
            try:
                result = super().transform(ctx, message)
            except RuleConditionError:
                Watch.why = 'false'
                raise
            except Exception as e:
                Watch.why = f'error: {e!r}'
                raise
            Watch.why = None if result else 'false'
            return result
    return Watched()


class Letter(RuleAction):
    """Its own action of this name needs a producer."""

    def type(self):
        return 'DLQ'

    def run(self, ctx, message, ex):
        raise SerializationError(f'rule failed: {ctx.rule.name}')


def rules(disabled):
    registry = RuleRegistry()
    for executor in (CelExecutor, CelFieldExecutor):
        registry.register_executor(watched(executor))
        if disabled:
            registry.register_override(RuleOverride(registry.get_executors()[-1].type(), None, None, True))
    registry.register_action(Letter())
    return registry


def message_type(url, topic):
    path = f'/subjects/{topic}-value/versions/latest?format=serialized'
    with urllib.request.urlopen(url + path, timeout=20) as answer:
        serialized = base64.b64decode(json.load(answer)['schema'])
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(serialized)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName('shop.Order'))


class Side:
    """A format: its serializers, and its form of a record."""

    def __init__(self, url, contract):
        self.client = SchemaRegistryClient({'url': url})
        self.format = contract['format']
        self.kind = message_type(url, contract['topic']) if self.format == 'PROTOBUF' else None
        self.judge, self.writer = self.serializer(False), self.serializer(True)

    def serializer(self, disabled):
        conf = {'auto.register.schemas': False, 'use.latest.version': True}
        if not disabled:
            conf['validation.rules.execution'] = ValidationRulesExecution.BEFORE_DOMAIN_RULES
        if self.format == 'PROTOBUF':
            return ProtobufSerializer(self.kind, self.client, conf, rule_registry=rules(disabled))
        make = AvroSerializer if self.format == 'AVRO' else JSONSerializer
        return make(schema_registry_client=self.client, schema_str=None, conf=conf, rule_registry=rules(disabled))

    def form(self, record):
        if self.format == 'JSON':
            return copy.deepcopy(record)
        if self.format == 'AVRO':
            return {**copy.deepcopy(record), 'price': float(record['price'])}
        return self.kind(**record)

    def verdict(self, record, context):
        """{} if it passes, else the rule and how it failed."""
        Watch.rule = Watch.why = None
        try:
            self.judge(self.form(record), context)
            return {}
        except SerializationError as e:
            if str(e).startswith('Validation rule failed'):
                return {'rule': str(e).split(': ')[1], 'why': str(e)}
            if Watch.why is None:
                return {'why': repr(e)}
            return {'rule': Watch.rule, 'why': Watch.why}


def main():
    url, corpus, answer = sys.argv[1:]
    logging.disable(logging.WARNING)
    sides, answers = {}, []
    with open(corpus, encoding='utf-8') as f:
        contracts = json.load(f)['contracts']
    for contract in contracts:
        if contract['format'] not in sides:
            sides[contract['format']] = Side(url, contract)
        side = sides[contract['format']]
        context = SerializationContext(contract['topic'], MessageField.VALUE)
        answers.append([{**side.verdict(record, context), 'payload': side.writer(side.form(record), context).hex()}
                        for record in contract['records']])
    with open(answer, 'w', encoding='utf-8') as f:
        json.dump(answers, f)


if __name__ == '__main__':
    main()
