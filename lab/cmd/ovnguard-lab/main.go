// Command ovnguard-lab runs a Kubernetes control plane and an OVN on one machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/ovnguard/ovnguard/lab/internal/labcmd"
)

func main() {
	err := labcmd.New().ExecuteContext(context.Background())
	if err == nil {
		return
	}
	if !errors.Is(err, labcmd.ErrQuiet) {
		fmt.Fprintln(os.Stderr, "ovnguard-lab:", err)
	}
	os.Exit(1)
}
