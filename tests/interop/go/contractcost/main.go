// SPDX-License-Identifier: Apache-2.0

// contractcost: what the rules of bench/contracts.py take in confluent-kafka-go: serialising without and with them.
//
//	contractcost FILE
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/rules/cel"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/avrov2"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/jsonschema"
)

const rounds = 30 // the best one counts

type work struct {
	Format string                   `json:"format"`
	Schema string                   `json:"schema"`
	Rules  []schemaregistry.Rule    `json:"rules"`
	Orders []map[string]interface{} `json:"orders"`
	Broken map[string]interface{}   `json:"broken"`
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// ofMap: Avro's serializer wants a pointer to a map, through which CEL sees no fields.
type ofMap struct{ serde.RuleExecutor }

func (e ofMap) Transform(ctx serde.RuleContext, msg interface{}) (interface{}, error) {
	if record, ok := msg.(*map[string]interface{}); ok {
		msg = *record
	}
	return e.RuleExecutor.Transform(ctx, msg)
}

func newSerializer(client schemaregistry.Client, format string) serde.Serializer {
	registry := serde.NewRuleRegistry()
	registry.RegisterExecutor(ofMap{cel.NewExecutor()})
	if format == "AVRO" {
		conf := avrov2.NewSerializerConfig()
		conf.AutoRegisterSchemas, conf.UseLatestVersion = false, true
		s := must(avrov2.NewSerializer(client, serde.ValueSerde, conf))
		must(0, s.SetRuleRegistry(&registry, nil))
		return s
	}
	conf := jsonschema.NewSerializerConfig()
	conf.AutoRegisterSchemas, conf.UseLatestVersion = false, true
	s := must(jsonschema.NewSerializer(client, serde.ValueSerde, conf))
	must(0, s.SetRuleRegistry(&registry, nil))
	return s
}

func best(s serde.Serializer, topic string, orders []interface{}) int64 {
	var found int64
	for round := 0; round < rounds; round++ {
		begin := time.Now()
		for _, order := range orders {
			must(s.Serialize(topic, order))
		}
		if took := time.Since(begin).Nanoseconds() / int64(len(orders)); round == 0 || took < found {
			found = took
		}
	}
	return found
}

// value is what the serializer takes for the order.
func value(format string, order map[string]interface{}) interface{} {
	order["qty"] = int(order["qty"].(float64))
	if format == "AVRO" {
		return &order
	}
	return order
}

func main() {
	log.SetOutput(io.Discard)
	var w work
	must(0, json.Unmarshal(must(os.ReadFile(os.Args[1])), &w))
	client := must(schemaregistry.NewClient(schemaregistry.NewConfig("mock://")))
	schema := schemaregistry.SchemaInfo{Schema: w.Schema, SchemaType: w.Format}
	must(client.Register("plain-value", schema, false))
	schema.RuleSet = &schemaregistry.RuleSet{DomainRules: w.Rules}
	must(client.Register("ruled-value", schema, false))
	var orders []interface{}
	for _, order := range w.Orders {
		orders = append(orders, value(w.Format, order))
	}
	s := newSerializer(client, w.Format)
	if _, err := s.Serialize("ruled", value(w.Format, w.Broken)); err == nil {
		panic("a record that breaks a rule was serialised") // rules that are skipped cost nothing
	}
	fmt.Printf("{\"plain_ns\": %d, \"ruled_ns\": %d}\n", best(s, "plain", orders), best(s, "ruled", orders))
}
