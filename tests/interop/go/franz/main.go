// SPDX-License-Identifier: Apache-2.0

// Command franz tests with franz-go: `franz member SETTINGS` is a group member, `franz codecs BOOTSTRAP` produces and
// fetches, `franz txn SETTINGS` works in transactions.
package main

import "os"

func main() {
	switch os.Args[1] {
	case "member":
		runMember()
	case "codecs":
		runCodecs(os.Args[2])
	case "txn":
		runTxn(os.Args[2])
	}
}
