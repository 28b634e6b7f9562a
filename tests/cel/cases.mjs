// SPDX-License-Identifier: Apache-2.0
// cases.mjs - the conformance cases of google/cel-spec, from npm's @bufbuild/cel-spec, as a line of JSON each for
// cel_conformance (README.md has the form). First come the schemas that they use.
import { fileURLToPath } from 'node:url'
import { createRequire } from 'node:module'

const clients = createRequire(fileURLToPath(new URL('../clients/', import.meta.url)))
const { toBinary } = clients('@bufbuild/protobuf')
const { anyUnpack, FileDescriptorProtoSchema } = clients('@bufbuild/protobuf/wkt')
const { getConformanceSuite } = clients('@bufbuild/cel-spec/testdata/tests.js')
const { getTestRegistry } = clients('@bufbuild/cel-spec/testdata/registry.js')

const registry = getTestRegistry()

function say (line) {
  process.stdout.write(JSON.stringify(line) + '\n')
}

// ---- schemas

const FILES = ['proto3/test_all_types', 'proto2/test_all_types', 'proto2/test_all_types_extensions']

function saySchemas () {
  const files = new Map()
  for (const type of registry) {
    files.set(type.file.name, type.file)
  }
  for (const path of FILES) {
    const file = files.get('cel/expr/conformance/' + path)
    say({
      schema: file.name + '.proto',
      text: Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)).toString('base64'),
      imports: file.dependencies.map(d => d.name + '.proto').filter(name => name.startsWith('cel/'))
    })
  }
}

// ---- types, as CEL prints them

const PRIMITIVES = [null, 'bool', 'int', 'uint', 'double', 'string', 'bytes']
const WELL_KNOWN = [null, 'any', 'timestamp', 'duration']

function type (t) {
  const { case: kind, value } = t.typeKind
  switch (kind) {
    case 'primitive': return PRIMITIVES[value]
    case 'wrapper': return `wrapper(${PRIMITIVES[value]})`
    case 'wellKnown': return WELL_KNOWN[value]
    case 'null': return 'null'
    case 'dyn': return 'dyn'
    case 'listType': return `list(${type(value.elemType)})`
    case 'mapType': return `map(${type(value.keyType)}, ${type(value.valueType)})`
    case 'messageType': return value
    case 'typeParam': return value
    case 'type': return value.typeKind.case ? `type(${type(value)})` : 'type'
    case 'abstractType':
      return value.name + (value.parameterTypes.length ? `(${value.parameterTypes.map(type).join(', ')})` : '')
    default: throw new Error(`a type of kind ${kind}`)
  }
}

function variable (decl) {
  return { name: decl.name, type: type(decl.declKind.value.type) }
}

function functionOf (decl) {
  return decl.declKind.value.overloads.map(o => ({
    name: decl.name,
    member: o.isInstanceFunction,
    params: o.params.map(type),
    result: type(o.resultType)
  }))
}

// ---- values: [kind, ...]

const hex = bytes => Buffer.from(bytes).toString('hex')

function message (any) {
  const unpacked = anyUnpack(any, registry)
  if (unpacked === undefined) {
    throw new Error(`no such message: ${any.typeUrl}`)
  }
  return wellKnown(unpacked) ?? ['message', unpacked.$typeName, hex(any.value)]
}

function json (value) { // google.protobuf.Value
  const { case: kind, value: v } = value.kind
  switch (kind) {
    case 'numberValue': return number(v)
    case 'stringValue': return ['string', v]
    case 'boolValue': return ['bool', v]
    case 'structValue': return struct(v)
    case 'listValue': return ['list', v.values.map(json)]
    default: return ['null']
  }
}

function struct (value) {
  return ['map', Object.entries(value.fields).map(([k, v]) => [['string', k], json(v)])]
}

// What CEL sees of the messages that are more to it than messages.
function wellKnown (m) {
  switch (m.$typeName) {
    case 'google.protobuf.Timestamp': return ['timestamp', String(m.seconds), m.nanos]
    case 'google.protobuf.Duration': return ['duration', String(m.seconds), m.nanos]
    case 'google.protobuf.BoolValue': return ['bool', m.value]
    case 'google.protobuf.StringValue': return ['string', m.value]
    case 'google.protobuf.BytesValue': return ['bytes', hex(m.value)]
    case 'google.protobuf.DoubleValue':
    case 'google.protobuf.FloatValue': return number(m.value)
    case 'google.protobuf.Int32Value':
    case 'google.protobuf.Int64Value': return ['int', String(m.value)]
    case 'google.protobuf.UInt32Value':
    case 'google.protobuf.UInt64Value': return ['uint', String(m.value)]
    case 'google.protobuf.Struct': return struct(m)
    case 'google.protobuf.Value': return json(m)
    case 'google.protobuf.ListValue': return ['list', m.values.map(json)]
    case 'google.protobuf.Any': return message(m)
    default: return undefined
  }
}

function number (value) {
  return ['double', Object.is(value, -0) ? '-0.0' : String(value)]
}

function value (v) {
  const { case: kind, value: x } = v.kind
  switch (kind) {
    case 'nullValue': return ['null']
    case 'boolValue': return ['bool', x]
    case 'int64Value': return ['int', String(x)]
    case 'uint64Value': return ['uint', String(x)]
    case 'doubleValue': return number(x)
    case 'stringValue': return ['string', x]
    case 'bytesValue': return ['bytes', hex(x)]
    case 'enumValue': return ['enum', x.type, String(x.value)]
    case 'listValue': return ['list', x.values.map(value)]
    case 'mapValue': return ['map', x.entries.map(e => [value(e.key), value(e.value)])]
    case 'typeValue': return ['type', x]
    case 'objectValue': return message(x)
    default: throw new Error(`a value of kind ${kind}`)
  }
}

// ---- cases

function expected (matcher) {
  switch (matcher.case) {
    case 'value': return { value: value(matcher.value) }
    case 'typedResult':
      return {
        ...(matcher.value.result ? { value: value(matcher.value.result) } : {}),
        ...(matcher.value.deducedType ? { type: type(matcher.value.deducedType) } : {})
      }
    case 'evalError':
    case 'anyEvalErrors': return { error: true }
    case undefined: return { value: ['bool', true] } // simple.proto says so
    default: throw new Error(`a result of kind ${matcher.case}`)
  }
}

const names = new Map()

// Names that stand twice get a number.
function unique (name) {
  const count = (names.get(name) ?? 0) + 1
  names.set(name, count)
  return count === 1 ? name : `${name}#${count}`
}

function sayCase (file, path, test) {
  const t = test.original
  say({
    file,
    name: unique([...path, test.name].join('/')),
    expr: t.expr,
    container: t.container,
    check: !t.disableCheck,
    macros: !t.disableMacros,
    evaluate: !t.checkOnly,
    variables: t.typeEnv.filter(d => d.declKind.case === 'ident').map(variable),
    functions: t.typeEnv.filter(d => d.declKind.case === 'function').flatMap(functionOf),
    bindings: Object.entries(t.bindings).map(([name, b]) => ({ name, value: value(b.kind.value) })),
    ...expected(t.resultMatcher)
  })
}

function walk (file, path, suite) {
  for (const test of suite.tests) {
    sayCase(file, path, test)
  }
  for (const inner of suite.suites) {
    walk(file, [...path, inner.name], inner)
  }
}

saySchemas()
for (const suite of getConformanceSuite().suites) {
  walk(suite.name, [suite.name], suite)
}
