// Command ovnguard-lab-pod is what the containers of a lab run: it is the only program in the lab's images.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/ovnguard/ovnguard/lab/internal/podcmd"
)

func main() {
	ctx, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	if err := podcmd.New().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "ovnguard-lab-pod:", err)
		os.Exit(1)
	}
}
