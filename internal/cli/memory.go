package cli

import (
	"math"
	"os"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/go-logr/logr"
)

// memoryShare is the part of the container's memory that the program's heap may take before it is collected at once.
// The rest is for what is not of the heap, such as goroutines' stacks.
const memoryShare = 0.85

// limitMemory has the garbage collector keep below the limit of the container (cgroup v2 or v1), unless the environment
// variable GOMEMLIMIT says otherwise, and logs what was set.
func limitMemory(log logr.Logger) {
	limit, err := memlimit.Set(memlimit.WithRatio(memoryShare))
	set, isSet := os.LookupEnv("GOMEMLIMIT")
	switch {
	case isSet:
		log.Info("memory is limited by the environment", "GOMEMLIMIT", set)
	case err != nil:
		log.Info("the container's memory limit could not be read; GOMEMLIMIT is not set", "reason", err.Error())
	case limit == math.MaxInt64:
		log.Info("the container has no memory limit; GOMEMLIMIT is not set")
	default:
		log.Info("memory is limited by the container", "GOMEMLIMIT", limit, "share", memoryShare)
	}
}
