// Package sameseed makes rapid's properties try the same cases each time, so that a test that passed once passes again
// wherever it runs. A test imports it only for that. -rapid.seed=0 tries others each time, and RAPID_SEED or
// -rapid.seed those of a seed.
package sameseed

import (
	"flag"
	"os"

	_ "pgregory.net/rapid" // it has the flag that this sets
)

func init() {
	if _, chosen := os.LookupEnv("RAPID_SEED"); chosen {
		return
	}
	if err := flag.Set("rapid.seed", "1"); err != nil {
		panic(err) // rapid no longer has that flag
	}
}
