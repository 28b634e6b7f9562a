// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"time"

	"strom/interop/member"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const pollRecords = 100

// groupMember is a member of a group with franz-go and the classic protocol.
type groupMember struct {
	settings member.Settings
	isAuto   bool
	stopped  <-chan struct{}
}

func (m *groupMember) options() []kgo.Opt {
	balancers := map[string]kgo.GroupBalancer{
		"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(),
		"cooperative": kgo.CooperativeStickyBalancer(),
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(m.settings.Bootstrap), kgo.ClientID(m.settings.Name), kgo.ConsumerGroup(m.settings.Group),
		kgo.ConsumeTopics(m.settings.Topics...), kgo.Balancers(balancers[m.settings.Assignor]),
		kgo.SessionTimeout(time.Duration(m.settings.SessionMs) * time.Millisecond),
		kgo.HeartbeatInterval(time.Duration(m.settings.HeartbeatMs) * time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.MetadataMinAge(250 * time.Millisecond), kgo.MetadataMaxAge(500 * time.Millisecond),
		kgo.BlockRebalanceOnPoll(), // a rebalance waits until what was polled is told and committed
		kgo.OnPartitionsAssigned(m.assigned), kgo.OnPartitionsRevoked(m.revoked), kgo.OnPartitionsLost(m.lost),
	}
	if m.settings.Instance != "" {
		opts = append(opts, kgo.InstanceID(m.settings.Instance))
	}
	if m.isAuto {
		return append(opts, kgo.AutoCommitInterval(200*time.Millisecond))
	}
	return append(opts, kgo.DisableAutoCommit())
}

func (m *groupMember) assigned(_ context.Context, client *kgo.Client, partitions map[string][]int32) {
	_, generation := client.GroupMetadata()
	member.Tell("assigned", member.Fields{"partitions": member.Partitions(partitions), "generation": generation})
}

func (m *groupMember) revoked(ctx context.Context, client *kgo.Client, partitions map[string][]int32) {
	m.commit(ctx, client) // the default of a client that commits by itself
	if rows := member.Partitions(partitions); len(rows) > 0 {
		member.Tell("revoked", member.Fields{"partitions": rows})
	}
}

func (m *groupMember) lost(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	if rows := member.Partitions(partitions); len(rows) > 0 {
		member.Tell("revoked", member.Fields{"partitions": rows, "lost": true})
	}
}

// commit commits all that was polled, which is told by then.
func (m *groupMember) commit(ctx context.Context, client *kgo.Client) {
	if err := client.CommitUncommittedOffsets(ctx); err != nil {
		m.failed("refused", err)
	}
}

// failed ends the member if its instance id was taken over: franz-go would join again, and fence the other.
func (m *groupMember) failed(event string, err error) {
	if errors.Is(err, kerr.FencedInstanceID) {
		member.Tell("fenced", member.Fields{"text": err.Error()})
		os.Exit(1)
	}
	member.Tell(event, member.Fields{"text": err.Error()})
}

func (m *groupMember) poll(ctx context.Context, client *kgo.Client) {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	fetches := client.PollRecords(ctx, pollRecords)
	fetches.EachError(func(_ string, _ int32, err error) {
		if !errors.Is(err, context.DeadlineExceeded) {
			m.failed("notice", err)
		}
	})
	rows := []member.Row{}
	fetches.EachRecord(func(r *kgo.Record) {
		rows = append(rows, member.Row{r.Topic, r.Partition, r.Offset, string(r.Value)})
	})
	if len(rows) > 0 {
		member.Tell("records", member.Fields{"rows": rows})
		if !m.isAuto {
			m.commit(context.Background(), client)
		}
	}
	client.AllowRebalance()
}

func runMember() {
	settings, stopped := member.Start()
	m := &groupMember{settings: settings, isAuto: settings.Commit == "auto", stopped: stopped}
	client, err := kgo.NewClient(m.options()...)
	if err != nil {
		panic(err)
	}
	for isStopped := false; !isStopped; {
		m.poll(context.Background(), client)
		select {
		case <-stopped:
			isStopped = true
		default:
		}
	}
	client.CloseAllowingRebalance()
	member.Tell("left", nil)
}
