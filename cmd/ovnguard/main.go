// Command ovnguard guards the ports of a Kube-OVN cluster: see internal/cli for its commands.
package main

import (
	"os"

	"github.com/ovnguard/ovnguard/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
