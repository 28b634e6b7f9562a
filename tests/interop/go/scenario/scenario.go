// SPDX-License-Identifier: Apache-2.0

// Package scenario is what both Go clients produce and have to get back, as tests/clients/scenario.py has it for others.
package scenario

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"time"
)

const (
	Partitions = 3
	Records    = 300
)

// Codecs by the names that Kafka gives them.
var Codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// Header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Record as it is produced, and as it must come back.
type Record struct {
	Partition int32
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []Header
	Time      time.Time
}

var start = time.Now().Add(-time.Hour).Truncate(time.Millisecond)

// All records, in the order in which they are produced.
func All() []Record {
	records := make([]Record, Records)
	for i := range records {
		r := &records[i]
		r.Partition, r.Offset = int32(i%Partitions), int64(i/Partitions)
		r.Time = start.Add(time.Duration(i) * time.Millisecond)
		if i%7 != 3 {
			r.Key = fmt.Appendf(nil, "key-%d", i)
		}
		if i%11 != 5 || r.Key == nil {
			r.Value = bytes.Repeat(fmt.Appendf(nil, "value %d ", i), 1+i%60)
		}
		if i%5 != 0 {
			r.Headers = []Header{{"trace", fmt.Append(nil, i)}, {"bin", []byte{0, 255, byte(i)}}}
		}
	}
	return records
}

// FreshTopic is a name that nobody has.
func FreshTopic(what string) string {
	return fmt.Sprintf("%s-%x", what, rand.Int63())
}

func same(got, want Record) bool {
	isSame := got.Offset == want.Offset && bytes.Equal(got.Key, want.Key) && bytes.Equal(got.Value, want.Value) &&
		(got.Key == nil) == (want.Key == nil) && (got.Value == nil) == (want.Value == nil) &&
		got.Time.Equal(want.Time) && len(got.Headers) == len(want.Headers)
	for i := 0; isSame && i < len(want.Headers); i++ {
		isSame = got.Headers[i].Key == want.Headers[i].Key && bytes.Equal(got.Headers[i].Value, want.Headers[i].Value)
	}
	return isSame
}

// Compare takes records in the order in which they came.
func Compare(got []Record) error {
	var wanted [Partitions][]Record
	for _, r := range All() {
		wanted[r.Partition] = append(wanted[r.Partition], r)
	}
	for _, r := range got {
		left := wanted[r.Partition]
		if len(left) == 0 || !same(r, left[0]) {
			return fmt.Errorf("partition %d, offset %d: got key %q", r.Partition, r.Offset, r.Key)
		}
		wanted[r.Partition] = left[1:]
	}
	if len(got) != Records {
		return fmt.Errorf("%d records instead of %d", len(got), Records)
	}
	return nil
}

var failed bool

// Run prints `ok client name` or `not ok client name: why`.
func Run(client, name string, test func() error) {
	if err := test(); err != nil {
		fmt.Printf("not ok %s %s: %v\n", client, name, err)
		failed = true
		return
	}
	fmt.Printf("ok %s %s\n", client, name)
}

// End ends the program with what Run found.
func End() {
	if failed {
		os.Exit(1)
	}
	os.Exit(0)
}
