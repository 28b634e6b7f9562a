// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"time"

	"strom/interop/member"

	"github.com/IBM/sarama"
)

// groupMember is a member of a group with sarama; its methods are called by sessions, one after another.
type groupMember struct {
	settings member.Settings
	isAuto   bool
}

func (m *groupMember) config() *sarama.Config {
	strategies := map[string]sarama.BalanceStrategy{
		"range": sarama.NewBalanceStrategyRange(), "roundrobin": sarama.NewBalanceStrategyRoundRobin(),
	}
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.ClientID = m.settings.Name
	config.Metadata.RefreshFrequency = 500 * time.Millisecond
	config.Metadata.Retry.Max = 100
	config.Consumer.Return.Errors = true
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = m.isAuto
	config.Consumer.Offsets.AutoCommit.Interval = 200 * time.Millisecond
	config.Consumer.Group.Session.Timeout = time.Duration(m.settings.SessionMs) * time.Millisecond
	config.Consumer.Group.Heartbeat.Interval = time.Duration(m.settings.HeartbeatMs) * time.Millisecond
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategies[m.settings.Assignor]}
	config.Consumer.Group.InstanceId = m.settings.Instance
	return config
}

// Setup is called when a generation begins.
func (m *groupMember) Setup(session sarama.ConsumerGroupSession) error {
	member.Tell("assigned", member.Fields{
		"partitions": member.Partitions(session.Claims()), "generation": session.GenerationID(),
	})
	return nil
}

// Cleanup is called when a generation ends, after the last ConsumeClaim has returned.
func (m *groupMember) Cleanup(session sarama.ConsumerGroupSession) error {
	if !m.isAuto {
		session.Commit()
	}
	if rows := member.Partitions(session.Claims()); len(rows) > 0 {
		member.Tell("revoked", member.Fields{"partitions": rows})
	}
	return nil
}

// ConsumeClaim delivers one partition, until the generation ends.
func (m *groupMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, isOpen := <-claim.Messages():
			if !isOpen {
				return nil
			}
			row := member.Row{message.Topic, message.Partition, message.Offset, string(message.Value)}
			member.Tell("records", member.Fields{"rows": []member.Row{row}})
			session.MarkMessage(message, "")
			if !m.isAuto {
				session.Commit()
			}
		case <-session.Context().Done():
			return nil
		}
	}
}

func (m *groupMember) errors(group sarama.ConsumerGroup) {
	for err := range group.Errors() {
		m.failed(err)
	}
}

func (m *groupMember) failed(err error) {
	if errors.Is(err, sarama.ErrFencedInstancedId) {
		member.Tell("fenced", member.Fields{"text": err.Error()})
		os.Exit(1)
	}
	member.Tell("refused", member.Fields{"text": err.Error()}) // commits are among them
}

func runMember() {
	settings, stopped := member.Start()
	m := &groupMember{settings: settings, isAuto: settings.Commit == "auto"}
	group, err := sarama.NewConsumerGroup([]string{settings.Bootstrap}, settings.Group, m.config())
	if err != nil {
		panic(err)
	}
	go m.errors(group)
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		<-stopped
		stop()
	}()
	for ctx.Err() == nil {
		if err = group.Consume(ctx, settings.Topics, m); err != nil {
			m.failed(err)
		}
	}
	if err = group.Close(); err != nil {
		m.failed(err)
	}
	member.Tell("left", nil)
}
