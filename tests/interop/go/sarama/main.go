// SPDX-License-Identifier: Apache-2.0

// Command sarama tests with sarama: `sarama member SETTINGS` is a group member, `sarama codecs BOOTSTRAP` produces and
// fetches.
package main

import "os"

func main() {
	switch os.Args[1] {
	case "member":
		runMember()
	case "codecs":
		runCodecs(os.Args[2])
	}
}
