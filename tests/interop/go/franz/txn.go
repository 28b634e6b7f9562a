// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"time"

	"strom/interop/member"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	abortedShare = 4 // one in so many transactions of a feeder is aborted
	txnPause     = 20 * time.Millisecond
	txnRecords   = 40
)

// txnSettings is what tests/crash/kill9_txn.py tells a worker.
type txnSettings struct {
	Bootstrap, Kind, Name, Input, Output, Group string
	Life, Seed, Partitions                      int
}

// txnWorker is tests/crash/txn_worker.py with franz-go.
type txnWorker struct {
	settings txnSettings
	chance   *rand.Rand
	number   int
}

func (w *txnWorker) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(w.settings.Bootstrap), kgo.ClientID(w.settings.Name), kgo.TransactionalID(w.settings.Name),
		kgo.TransactionTimeout(60 * time.Second), kgo.RetryTimeout(60 * time.Second), kgo.RecordRetries(1000),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(2 * time.Millisecond),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.MetadataMaxAge(time.Second),
	}
}

func (w *txnWorker) nextTxn() string {
	w.number++
	return fmt.Sprintf("%s.%d.%d", w.settings.Name, w.settings.Life, w.number-1)
}

func fail(what string, err error) {
	if err != nil {
		member.Tell("error", member.Fields{"text": what + ": " + err.Error()})
		os.Exit(1)
	}
}

// promise keeps the first error of many records.
func promise(first *error) func(*kgo.Record, error) {
	return func(_ *kgo.Record, err error) {
		if err != nil && *first == nil {
			*first = err
		}
	}
}

func (w *txnWorker) feedOne(ctx context.Context, client *kgo.Client) {
	txn, counts := w.nextTxn(), map[string]int{}
	fail("begin", client.BeginTransaction())
	var produced error
	for _, p := range w.chance.Perm(w.settings.Partitions)[:1+w.chance.Intn(w.settings.Partitions)] {
		count := 1 + w.chance.Intn(4)
		counts[fmt.Sprint(p)] = count
		for i := 0; i < count; i++ {
			value := fmt.Sprintf("%s/%d/%d", txn, p, i)
			client.Produce(ctx, &kgo.Record{Topic: w.settings.Input, Partition: int32(p), Value: []byte(value)},
				promise(&produced))
		}
	}
	fail("flush", client.Flush(ctx))
	if produced != nil || w.chance.Intn(abortedShare) == 0 {
		fail("abort", client.EndTransaction(ctx, kgo.TryAbort))
		member.Tell("aborted", member.Fields{"txn": txn})
		return
	}
	member.Tell("committing", member.Fields{"txn": txn, "counts": counts})
	fail("commit", client.EndTransaction(ctx, kgo.TryCommit))
	member.Tell("committed", member.Fields{"txn": txn})
}

func (w *txnWorker) copyOne(ctx context.Context, session *kgo.GroupTransactSession) {
	polling, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	fetches := session.PollRecords(polling, txnRecords)
	if fetches.NumRecords() == 0 {
		return
	}
	txn := w.nextTxn()
	fail("begin", session.Begin())
	var produced error
	fetches.EachRecord(func(r *kgo.Record) {
		session.Produce(ctx, &kgo.Record{Topic: w.settings.Output, Partition: r.Partition, Value: r.Value},
			promise(&produced))
	})
	fail("flush", session.Client().Flush(ctx))
	member.Tell("committing", member.Fields{"txn": txn, "counts": map[string]int{}})
	isCommitted, err := session.End(ctx, kgo.TransactionEndTry(produced == nil))
	fail("end", err)
	if isCommitted {
		member.Tell("committed", member.Fields{"txn": txn})
	} else {
		member.Tell("aborted", member.Fields{"txn": txn})
	}
}

func (w *txnWorker) feed(stopped func() bool) {
	client, err := kgo.NewClient(w.options()...)
	fail("client", err)
	for !stopped() {
		w.feedOne(context.Background(), client)
		time.Sleep(txnPause)
	}
	client.Close()
}

func (w *txnWorker) copy(stopped func() bool) {
	session, err := kgo.NewGroupTransactSession(append(w.options(),
		kgo.ConsumerGroup(w.settings.Group), kgo.ConsumeTopics(w.settings.Input), kgo.RequireStableFetchOffsets(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(3*time.Second), kgo.HeartbeatInterval(300*time.Millisecond),
		kgo.FetchMaxWait(50*time.Millisecond))...)
	fail("session", err)
	for !stopped() {
		w.copyOne(context.Background(), session)
	}
	session.Close()
}

func runTxn(argument string) {
	w := &txnWorker{}
	fail("settings", json.Unmarshal([]byte(argument), &w.settings))
	w.chance = rand.New(rand.NewSource(int64(w.settings.Seed + w.settings.Life)))
	ended := make(chan struct{})
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 100)) // a command or the end of the file: both mean the same
		close(ended)
	}()
	stopped := func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	}
	member.Tell("started", nil)
	if w.settings.Kind == "feeder" {
		w.feed(stopped)
	} else {
		w.copy(stopped)
	}
	member.Tell("left", nil)
}
