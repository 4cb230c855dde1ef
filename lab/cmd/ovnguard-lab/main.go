// Command ovnguard-lab runs a Kubernetes control plane and an OVN in a box.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/ovnguard/ovnguard/lab/internal/labcmd"
)

func main() {
	if err := labcmd.New().ExecuteContext(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "ovnguard-lab:", err)
		os.Exit(1)
	}
}
