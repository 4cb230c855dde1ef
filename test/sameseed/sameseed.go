// Package sameseed has rapid's properties try the same cases each time, so that what passed once passes again wherever
// it is run. A test imports it for that alone. -rapid.seed=0 tries others each time, and RAPID_SEED or -rapid.seed
// those of a seed.
package sameseed

import (
	"flag"
	"os"

	_ "pgregory.net/rapid" // whose flag it sets
)

func init() {
	if _, chosen := os.LookupEnv("RAPID_SEED"); chosen {
		return
	}
	if err := flag.Set("rapid.seed", "1"); err != nil {
		panic(err) // rapid has no such flag any more
	}
}
