// SPDX-License-Identifier: Apache-2.0

// verdicts: confluent-kafka-go's serializers with their rule executors judge each record of tests/contract/corpus.mjs,
// and serialise it with the rules switched off. ../verdicts_client.py does the same.
//
//	verdicts URL CORPUS ANSWER
package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/rules/cel"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/avrov2"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/jsonschema"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/protobuf"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

type home struct {
	Zip     string `json:"zip"`
	Country string `json:"country"`
}

type order struct {
	ID    string   `json:"id"`
	Note  *string  `json:"note"`
	Qty   int32    `json:"qty"`
	Price float64  `json:"price"`
	Paid  bool     `json:"paid"`
	Items []string `json:"items"`
	Home  home     `json:"home"`
}

type contract struct {
	Format  string  `json:"format"`
	Topic   string  `json:"topic"`
	Records []order `json:"records"`
}

type verdict struct {
	Rule    string `json:"rule,omitempty"`
	Why     string `json:"why,omitempty"`
	Payload string `json:"payload"`
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// ---- the rule that ran last, and how it failed

type watch struct {
	serde.RuleExecutor
	last *verdict
}

func (w watch) Transform(ctx serde.RuleContext, msg interface{}) (interface{}, error) {
	*w.last = verdict{Rule: ctx.Rule.Name}
	if record, ok := msg.(*map[string]interface{}); ok && w.Type() == "CEL" {
		msg = *record // Avro's serializer wants a pointer, and CEL then sees no fields
	}
	result, err := w.RuleExecutor.Transform(ctx, msg)
	var failed serde.RuleConditionErr
	if errors.As(err, &failed) || result == false {
		w.last.Why = "false"
	} else if err != nil {
		w.last.Why = "error: " + err.Error()
	}
	return result, err
}

// letter: the client brings no action of this name.
type letter struct{ serde.ErrorAction }

func (letter) Type() string { return "DLQ" }

func rules(disabled bool, last *verdict) *serde.RuleRegistry {
	registry := serde.NewRuleRegistry()
	for _, executor := range []serde.RuleExecutor{cel.NewExecutor(), cel.NewFieldExecutor()} {
		registry.RegisterExecutor(watch{executor, last})
		if disabled {
			registry.RegisterOverride(&serde.RuleOverride{Type: executor.Type(), Disabled: &disabled})
		}
	}
	registry.RegisterAction(letter{})
	return &registry
}

// ---- formats

type serializer interface {
	Serialize(topic string, msg interface{}) ([]byte, error)
	SetRuleRegistry(registry *serde.RuleRegistry, conf map[string]string) error
}

// side is a format: its serializers, and its form of a record.
type side struct {
	judge, writer serializer
	form          func(o *order) interface{}
	last          verdict
}

func newSerializer(client schemaregistry.Client, format string) serializer {
	switch format {
	case "AVRO":
		conf := avrov2.NewSerializerConfig()
		conf.AutoRegisterSchemas, conf.UseLatestVersion = false, true
		return must(avrov2.NewSerializer(client, serde.ValueSerde, conf))
	case "JSON":
		conf := jsonschema.NewSerializerConfig()
		conf.AutoRegisterSchemas, conf.UseLatestVersion, conf.EnableValidation = false, true, true
		return must(jsonschema.NewSerializer(client, serde.ValueSerde, conf))
	}
	conf := protobuf.NewSerializerConfig()
	conf.AutoRegisterSchemas, conf.UseLatestVersion = false, true
	return must(protobuf.NewSerializer(client, serde.ValueSerde, conf))
}

// mapOf: the client's other form of a record, a struct, is seen by rules under its Go names.
func mapOf(o *order) map[string]interface{} {
	items := make([]interface{}, len(o.Items))
	for i, item := range o.Items {
		items[i] = item
	}
	fields := map[string]interface{}{"id": o.ID, "qty": int(o.Qty), "price": o.Price, "paid": o.Paid, "items": items,
		"home": map[string]interface{}{"zip": o.Home.Zip, "country": o.Home.Country}, "note": nil}
	if o.Note != nil {
		fields["note"] = *o.Note
	}
	return fields
}

func messageOf(kind protoreflect.MessageDescriptor, o *order) proto.Message {
	set := func(m *dynamicpb.Message, name string, value interface{}) {
		m.Set(m.Descriptor().Fields().ByName(protoreflect.Name(name)), protoreflect.ValueOf(value))
	}
	message := dynamicpb.NewMessage(kind)
	items := kind.Fields().ByName("items")
	where := dynamicpb.NewMessage(kind.Fields().ByName("home").Message())
	set(where, "zip", o.Home.Zip)
	set(where, "country", o.Home.Country)
	set(message, "id", o.ID)
	set(message, "qty", o.Qty)
	set(message, "price", o.Price)
	set(message, "paid", o.Paid)
	set(message, "home", where.ProtoReflect())
	for _, item := range o.Items {
		message.Mutable(items).List().Append(protoreflect.ValueOf(item))
	}
	if o.Note != nil {
		set(message, "note", *o.Note)
	}
	return message
}

func messageType(url, topic string) protoreflect.MessageDescriptor {
	answer := must(http.Get(url + "/subjects/" + topic + "-value/versions/latest?format=serialized"))
	defer answer.Body.Close()
	var found struct {
		Schema string `json:"schema"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil {
		panic(err)
	}
	var file descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(must(base64.StdEncoding.DecodeString(found.Schema)), &file); err != nil {
		panic(err)
	}
	return must(protodesc.NewFile(&file, protoregistry.GlobalFiles)).Messages().ByName("Order")
}

func newSide(client schemaregistry.Client, url string, c *contract) *side {
	s := &side{judge: newSerializer(client, c.Format), writer: newSerializer(client, c.Format)}
	for disabled, one := range map[bool]serializer{false: s.judge, true: s.writer} {
		if err := one.SetRuleRegistry(rules(disabled, &s.last), nil); err != nil {
			panic(err)
		}
	}
	switch c.Format {
	case "AVRO":
		s.form = func(o *order) interface{} { m := mapOf(o); return &m }
	case "JSON":
		s.form = func(o *order) interface{} { return mapOf(o) }
	default:
		kind := messageType(url, c.Topic)
		s.form = func(o *order) interface{} { return messageOf(kind, o) }
	}
	return s
}

// try: the rules of this client panic on some values; what a program that uses it does then is its own business.
func (s *side) try(topic string, o *order) (err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("panic: %v", why)
			s.last.Why = err.Error()
		}
	}()
	_, err = s.judge.Serialize(topic, s.form(o))
	return err
}

func (s *side) verdict(topic string, o *order) verdict {
	s.last = verdict{}
	found := verdict{}
	if err := s.try(topic, o); err != nil {
		found = s.last
		if found.Why == "" {
			found = verdict{Why: err.Error()}
		}
	}
	payload, err := s.writer.Serialize(topic, s.form(o))
	if err != nil {
		panic(fmt.Errorf("%s: %w", topic, err))
	}
	found.Payload = hex.EncodeToString(payload)
	return found
}

func main() {
	log.SetOutput(io.Discard)
	url := os.Args[1]
	var corpus struct {
		Contracts []contract `json:"contracts"`
	}
	if err := json.Unmarshal(must(os.ReadFile(os.Args[2])), &corpus); err != nil {
		panic(err)
	}
	client := must(schemaregistry.NewClient(schemaregistry.NewConfig(url)))
	sides := map[string]*side{}
	var answers [][]verdict
	for i := range corpus.Contracts {
		c := &corpus.Contracts[i]
		if sides[c.Format] == nil {
			sides[c.Format] = newSide(client, url, c)
		}
		var answer []verdict
		for j := range c.Records {
			answer = append(answer, sides[c.Format].verdict(c.Topic, &c.Records[j]))
		}
		answers = append(answers, answer)
	}
	if err := os.WriteFile(os.Args[3], must(json.Marshal(answers)), 0o600); err != nil {
		panic(err)
	}
}
