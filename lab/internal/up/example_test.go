package up_test

import (
	"context"
	"fmt"
	"os"

	"github.com/ovnguard/ovnguard/lab/internal/up"
)

func ExampleStart() {
	ctx := context.Background()
	lab, err := up.Start(ctx, up.Options{StateDir: "/tmp/lab", Nodes: 2, Log: os.Stderr})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() {
		if err := lab.Stop(); err != nil {
			fmt.Println(err)
		}
	}()
	fmt.Println(lab.Info().Kubeconfigs["admin"])
	if err := lab.RestartComponent(ctx, "node1-vswitchd"); err != nil {
		fmt.Println(err)
	}
}
