// SPDX-License-Identifier: Apache-2.0

// Package member is what the group members in Go share: the settings they are given, the events they tell, the word to
// stop. tests/clients/groups tells what they mean.
package member

import (
	"bufio"
	"encoding/json"
	"os"
	"sort"
	"sync"

	"golang.org/x/sys/unix"
)

// Settings come as the last argument, in JSON.
type Settings struct {
	Bootstrap   string   `json:"bootstrap"`
	Group       string   `json:"group"`
	Topics      []string `json:"topics"`
	Name        string   `json:"name"`
	Commit      string   `json:"commit"`
	Assignor    string   `json:"assignor"`
	SessionMs   int      `json:"session_ms"`
	HeartbeatMs int      `json:"heartbeat_ms"`
	Instance    string   `json:"instance"`
}

// Fields of an event, besides its name and time.
type Fields map[string]any

// Row is one delivered record: topic, partition, offset, value.
type Row [4]any

var lock sync.Mutex

// Tell writes one line, in one write: a process that is killed leaves no half line.
func Tell(event string, fields Fields) {
	lock.Lock()
	defer lock.Unlock()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err)
	}
	line := Fields{"event": event, "at": float64(now.Sec) + float64(now.Nsec)/1e9}
	for name, value := range fields {
		line[name] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	if _, err = os.Stdout.Write(append(text, '\n')); err != nil {
		os.Exit(1) // whoever started us has gone
	}
}

// Partitions as events have them: [[topic, partition], ...].
func Partitions(byTopic map[string][]int32) [][2]any {
	rows := [][2]any{}
	for topic, partitions := range byTopic {
		for _, partition := range partitions {
			rows = append(rows, [2]any{topic, partition})
		}
	}
	sort.Slice(rows, func(i, j int) bool { // for those who read it
		return rows[i][0].(string) < rows[j][0].(string) ||
			rows[i][0] == rows[j][0] && rows[i][1].(int32) < rows[j][1].(int32)
	})
	return rows
}

// Start parses the settings and tells that it has started; the channel closes at the word to stop.
func Start() (Settings, <-chan struct{}) {
	var settings Settings
	if err := json.Unmarshal([]byte(os.Args[len(os.Args)-1]), &settings); err != nil {
		panic(err)
	}
	Tell("started", Fields{"pid": os.Getpid()})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped) // also when whoever started us has gone
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			var words []string
			if json.Unmarshal(lines.Bytes(), &words) == nil && len(words) > 0 && words[0] == "stop" {
				return
			}
		}
	}()
	return settings, stopped
}
