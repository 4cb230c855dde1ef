package child

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const asChild = "as-child"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asChild {
		if err := count(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// count is the child: it answers with the sum of the numbers so far.
func count() error {
	parent, sum := NewParent(), 0
	for {
		var n int
		more, err := parent.Next(&n)
		if err != nil || !more {
			return err
		}
		sum += n
		if err := parent.Say(sum); err != nil {
			return err
		}
	}
}

func TestProcess(t *testing.T) {
	p, err := Start(t.Context(), asChild)
	if err != nil {
		t.Fatal(err)
	}
	if p.PID() == os.Getpid() {
		t.Error("the child is the parent")
	}
	var sum int
	if err := p.Tell(2); err != nil {
		t.Fatal(err)
	}
	if err := p.Hear(&sum); err != nil || sum != 2 {
		t.Errorf("%d, %v; want 2", sum, err)
	}
	if err := p.Ask(3, &sum); err != nil || sum != 5 {
		t.Errorf("%d, %v; want 5", sum, err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("it ends when it is told nothing more: %v", err)
	}
}

func TestProcessThatFails(t *testing.T) {
	p, err := Start(t.Context(), asChild)
	if err != nil {
		t.Fatal(err)
	}
	var sum int
	if err := p.Ask("two", &sum); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("got %v, want that the child has ended", err)
	}
	if err := p.Stop(); err == nil {
		t.Error("its exit code is lost")
	}
}
