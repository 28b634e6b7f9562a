// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"strom/interop/scenario"

	"github.com/IBM/sarama"
)

const patience = 30 * time.Second

func producerConfig(codec sarama.CompressionCodec) *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Net.MaxOpenRequests = 1 // what its idempotence asks for
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Compression = codec
	return config
}

func createTopic(client sarama.Client, name string) error {
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return err
	}
	detail := sarama.TopicDetail{NumPartitions: scenario.Partitions, ReplicationFactor: 1}
	if err = admin.CreateTopic(name, &detail, false); err != nil {
		return err
	}
	return client.RefreshMetadata(name)
}

func message(topic string, r scenario.Record) *sarama.ProducerMessage {
	m := &sarama.ProducerMessage{Topic: topic, Partition: r.Partition, Timestamp: r.Time}
	if r.Key != nil {
		m.Key = sarama.ByteEncoder(r.Key)
	}
	if r.Value != nil {
		m.Value = sarama.ByteEncoder(r.Value)
	}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
	}
	return m
}

func produce(client sarama.Client, topic string) error {
	producer, err := sarama.NewSyncProducerFromClient(client)
	if err != nil {
		return err
	}
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for _, r := range scenario.All() {
		messages = append(messages, message(topic, r))
	}
	return producer.SendMessages(messages)
}

func fetchPartition(consumer sarama.Consumer, topic string, partition int32) ([]scenario.Record, error) {
	claim, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	defer claim.Close()
	var got []scenario.Record
	for timeout := time.After(patience); len(got) < scenario.Records/scenario.Partitions; {
		select {
		case m := <-claim.Messages():
			record := scenario.Record{Partition: m.Partition, Offset: m.Offset, Key: m.Key, Value: m.Value, Time: m.Timestamp}
			for _, h := range m.Headers {
				record.Headers = append(record.Headers, scenario.Header{Key: string(h.Key), Value: h.Value})
			}
			got = append(got, record)
		case <-timeout:
			return nil, fmt.Errorf("partition %d: only %d records", partition, len(got))
		}
	}
	return got, nil
}

// roundTrip produces with one codec, idempotently, and fetches what came of it.
func roundTrip(bootstrap string, codec sarama.CompressionCodec) error {
	client, err := sarama.NewClient([]string{bootstrap}, producerConfig(codec))
	if err != nil {
		return err
	}
	defer client.Close()
	topic := scenario.FreshTopic("sarama-" + codec.String())
	if err = createTopic(client, topic); err != nil {
		return err
	}
	if err = produce(client, topic); err != nil {
		return err
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return err
	}
	defer consumer.Close()
	var got []scenario.Record
	for partition := range int32(scenario.Partitions) {
		records, err := fetchPartition(consumer, topic, partition)
		if err != nil {
			return err
		}
		got = append(got, records...)
	}
	return scenario.Compare(got)
}

func runCodecs(bootstrap string) {
	for _, name := range scenario.Codecs {
		var codec sarama.CompressionCodec
		if err := codec.UnmarshalText([]byte(name)); err != nil {
			panic(err)
		}
		scenario.Run("sarama", "codec_"+name, func() error { return roundTrip(bootstrap, codec) })
	}
	scenario.End()
}
