// SPDX-License-Identifier: Apache-2.0

// registry: franz-go's schema registry client and its Serde, with Avro by hamba/avro, over Strom's Kafka port.
//
//	registry BOOTSTRAP URL
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sr"
)

const (
	first  = `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"}]}`
	second = `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"},` +
		`{"name":"note","type":"string","default":""}]}`
	third = `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"},` +
		`{"name":"total","type":"double"}]}`
	other = `{"fields":[{"type":{"type":"long"},"name":"id"}],"name":"shop.Order","type":"record"}`
	inner = `{"type":"record","name":"Inner","namespace":"shop","fields":[{"name":"x","type":"int"}]}`
	outer = `{"type":"record","name":"Outer","namespace":"shop","fields":[{"name":"in","type":"shop.Inner"}]}`
)

type order struct {
	ID   int64  `avro:"id"`
	Note string `avro:"note"`
}

var (
	registry *sr.Client
	brokers  string
	failed   bool
)

func equal(what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		panic(fmt.Errorf("%s: got %v, expected %v", what, got, want))
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// refused: the call has to fail with this status and code.
func refused(err error, status, code int) {
	var answer *sr.ResponseError
	if !errors.As(err, &answer) {
		panic(fmt.Errorf("got %v, expected %d", err, code))
	}
	equal("status and code", []int{answer.StatusCode, answer.ErrorCode}, []int{status, code})
}

func fresh(what string) string {
	return fmt.Sprintf("go-%s-%d", what, time.Now().UnixNano())
}

func evolve(ctx context.Context) {
	subject := fresh("evolve")
	one := must(registry.CreateSchema(ctx, subject, sr.Schema{Schema: first}))
	two := must(registry.CreateSchema(ctx, subject, sr.Schema{Schema: second}))
	again := must(registry.CreateSchema(ctx, subject, sr.Schema{Schema: first}))
	equal("ids", []bool{two.ID > one.ID, again.ID == one.ID}, []bool{true, true})
	equal("versions", must(registry.SubjectVersions(ctx, subject)), []int{1, 2})
	equal("latest", must(registry.SchemaByVersion(ctx, subject, -1)).Version, 2)
	equal("by id", must(registry.SchemaByID(ctx, one.ID)).Schema, first)
	equal("look-up", must(registry.LookupSchema(ctx, subject, sr.Schema{Schema: first})).Version, 1)
	found := must(registry.CheckCompatibility(ctx, subject, -1, sr.Schema{Schema: third}))
	equal("compatible", found.Is, false)
	_, err := registry.CreateSchema(ctx, subject, sr.Schema{Schema: third})
	refused(err, 409, 409)
	for _, result := range registry.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatNone}, subject) {
		equal("set", result.Err, nil)
	}
	equal("level", registry.Compatibility(ctx, subject)[0].Level, sr.CompatNone)
	must(registry.CreateSchema(ctx, subject, sr.Schema{Schema: third}))
	_, err = registry.SubjectVersions(ctx, fresh("none"))
	refused(err, 404, 40401)
	_, err = registry.CreateSchema(ctx, subject, sr.Schema{Schema: `{"type":"nonsense"}`})
	refused(err, 422, 42201)
}

func deletion(ctx context.Context) {
	subject := fresh("delete")
	must(registry.CreateSchema(ctx, subject, sr.Schema{Schema: first}))
	must(registry.CreateSchema(ctx, subject, sr.Schema{Schema: second}))
	refused(registry.DeleteSchema(ctx, subject, 1, sr.HardDelete), 404, 40407)
	equal("softly", registry.DeleteSchema(ctx, subject, 1, sr.SoftDelete), nil)
	equal("left", must(registry.SubjectVersions(ctx, subject)), []int{2})
	equal("shown", must(registry.SubjectVersions(sr.WithParams(ctx, sr.ShowDeleted), subject)), []int{1, 2})
	_, err := registry.DeleteSubject(ctx, subject, sr.HardDelete)
	refused(err, 404, 40405)
	equal("subject", must(registry.DeleteSubject(ctx, subject, sr.SoftDelete)), []int{2})
	equal("for good", must(registry.DeleteSubject(ctx, subject, sr.HardDelete)), []int{1, 2})
}

func references(ctx context.Context) {
	base, subject := fresh("inner"), fresh("outer")
	must(registry.CreateSchema(ctx, base, sr.Schema{Schema: inner}))
	refs := []sr.SchemaReference{{Name: "shop.Inner", Subject: base, Version: 1}}
	made := must(registry.CreateSchema(ctx, subject, sr.Schema{Schema: outer, References: refs}))
	equal("references", must(registry.SchemaByID(ctx, made.ID)).References, refs)
	equal("users", len(must(registry.SchemaReferences(ctx, base, 1))), 1)
	_, err := registry.DeleteSubject(ctx, base, sr.SoftDelete)
	refused(err, 422, 42206)
}

func normalize(ctx context.Context) {
	subject := fresh("normal")
	ctx = sr.WithParams(ctx, sr.Normalize)
	one := must(registry.CreateSchema(ctx, subject, sr.Schema{Schema: first}))
	equal("the same", must(registry.CreateSchema(ctx, subject, sr.Schema{Schema: other})).ID, one.ID)
}

func records(ctx context.Context) {
	topic := fresh("records")
	made := must(registry.CreateSchema(ctx, topic+"-value", sr.Schema{Schema: second}))
	schema := must(avro.Parse(second))
	serde := sr.NewSerde()
	serde.Register(made.ID, order{},
		sr.EncodeFn(func(v any) ([]byte, error) { return avro.Marshal(schema, v) }),
		sr.DecodeFn(func(b []byte, v any) error { return avro.Unmarshal(schema, b, v) }))
	client := must(kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())))
	defer client.Close()
	wanted := kmsg.NewCreateTopicsRequestTopic()
	wanted.Topic, wanted.NumPartitions, wanted.ReplicationFactor = topic, 1, 1
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Topics = append(create.Topics, wanted)
	equal("created", must(create.RequestWith(ctx, client)).Topics[0].ErrorCode, int16(0))
	want := []order{{1, "first"}, {2, ""}}
	for _, o := range want {
		equal("produced", client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: must(serde.Encode(o))}).FirstErr(), nil)
	}
	var got []order
	for len(got) < len(want) {
		fetches := client.PollFetches(ctx)
		equal("fetched", len(fetches.Errors()), 0)
		fetches.EachRecord(func(r *kgo.Record) {
			var o order
			equal("decoded", serde.Decode(r.Value, &o), nil)
			got = append(got, o)
		})
	}
	equal("values", got, want)
}

func run(name string, scenario func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	defer func() {
		if why := recover(); why != nil {
			failed = true
			fmt.Printf("not ok franz-registry %s: %v\n", name, why)
		}
	}()
	scenario(ctx)
	fmt.Printf("ok franz-registry %s\n", name)
}

func main() {
	brokers = os.Args[1]
	registry = must(sr.NewClient(sr.URLs(os.Args[2])))
	run("evolve", evolve)
	run("delete", deletion)
	run("references", references)
	run("normalize", normalize)
	run("records", records)
	if failed {
		os.Exit(1)
	}
}
