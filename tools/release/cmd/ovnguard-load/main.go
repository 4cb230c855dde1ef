// Command ovnguard-load pushes the image in an archive to a registry, and takes the program out of it. It is in the
// bundle for machines without internet, where load.sh runs it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/ovnguard/ovnguard/tools/release/internal/oci"
)

// errUsage means that the arguments are wrong.
var errUsage = errors.New(`usage: ovnguard-load push IMAGE.tar HOST/REPOSITORY[:TAG]
       ovnguard-load extract IMAGE.tar OS/ARCH FILE`)

func main() { os.Exit(mainCode(os.Args[1:], os.Stdout, os.Stderr)) }

// mainCode runs the command and returns its exit code: 2 for wrong usage, 1 for any other failure.
func mainCode(args []string, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, args, out)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		_, _ = fmt.Fprintln(errs, err) // nobody is left to tell
		return 2
	}
	_, _ = fmt.Fprintln(errs, "ovnguard-load:", err)
	return 1
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	if len(args) == 0 || args[0] == "push" && len(args) != 3 || args[0] == "extract" && len(args) != 4 ||
		args[0] != "push" && args[0] != "extract" {
		return errUsage
	}
	layout, err := oci.ReadLayout(args[1])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, layout.Close()) }()
	if args[0] == "push" {
		return push(ctx, layout, args[2], out)
	}
	platform, err := v1.ParsePlatform(args[2])
	if err != nil {
		return fmt.Errorf("%q: want OS/ARCH, such as linux/amd64: %w", args[2], err)
	}
	return oci.Extract(layout.Index, *platform, args[3])
}

// push pushes an image and prints its reference, which names its content.
func push(ctx context.Context, layout *oci.Layout, to string, out io.Writer) error {
	target, err := oci.ParseTarget(to, layout.Name.TagStr())
	if err != nil {
		return err
	}
	reference, err := oci.Push(ctx, target, layout.Index)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "pushed %s\nby digest: %s\n", target.Name(), reference)
	return err
}
