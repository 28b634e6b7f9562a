// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"strom/interop/scenario"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const patience = 30 * time.Second

func compression(codec string) kgo.CompressionCodec {
	return map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[codec]
}

func createTopic(ctx context.Context, client *kgo.Client, name string) error {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, scenario.Partitions, 1
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Topics = append(request.Topics, topic)
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(response.Topics[0].ErrorCode)
}

func produce(ctx context.Context, client *kgo.Client, topic string) error {
	var records []*kgo.Record
	for _, r := range scenario.All() {
		record := &kgo.Record{Topic: topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Timestamp: r.Time}
		for _, h := range r.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		records = append(records, record)
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

func fetch(ctx context.Context, bootstrap, topic string) ([]scenario.Record, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var got []scenario.Record
	for len(got) < scenario.Records {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("after %d records: %w", len(got), err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			record := scenario.Record{Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Time: r.Timestamp}
			for _, h := range r.Headers {
				record.Headers = append(record.Headers, scenario.Header{Key: h.Key, Value: h.Value})
			}
			got = append(got, record)
		})
	}
	return got, nil
}

// roundTrip produces with one codec, idempotently as franz-go does by itself, and fetches what came of it.
func roundTrip(bootstrap, codec string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ProducerBatchCompression(compression(codec)),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	topic := scenario.FreshTopic("franz-" + codec)
	if err = createTopic(ctx, client, topic); err != nil {
		return err
	}
	if err = produce(ctx, client, topic); err != nil {
		return err
	}
	got, err := fetch(ctx, bootstrap, topic)
	if err != nil {
		return err
	}
	return scenario.Compare(got)
}

func runCodecs(bootstrap string) {
	for _, codec := range scenario.Codecs {
		scenario.Run("franz-go", "codec_"+codec, func() error { return roundTrip(bootstrap, codec) })
	}
	scenario.End()
}
