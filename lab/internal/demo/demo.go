// Package demo tells the product's story with real frames: what a pod may send in a plain Kube-OVN cluster, and what it
// may send with ovnguard. Each line stands for a frame that was really sent, and for its arrival or loss.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// stepTimeout bounds one chapter of the story.
const stepTimeout = 90 * time.Second

// Options configure the demo.
type Options struct {
	// Lab configures the lab of the demo.
	Lab up.Options
	// Guard is the path of the program ovnguard.
	Guard string
	// Keep leaves the lab up after the story, until ctx ends.
	Keep bool
	// Colour marks verdicts with colours as well as with words.
	Colour bool
	// Out receives the story.
	Out io.Writer
}

// ErrDiffers means that a frame had another result than expected.
var ErrDiffers = errors.New("not everything went as it should; see the lines marked DIFFERS")

// Run tells the story. The error is ErrDiffers if the story was told to its end but a verdict was not as expected.
func Run(ctx context.Context, o Options) (err error) {
	begin := time.Now()
	lab, err := up.Start(ctx, o.Lab)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Stop()) }()
	s, err := scene.Open(lab)
	if err != nil {
		return err
	}
	t := &teller{out: o.Out, colour: o.Colour}
	st := &story{scene: s, teller: t, binary: o.Guard}
	defer func() { err = errors.Join(err, st.close()) }()
	for _, chapter := range []func(context.Context) error{
		st.withoutOvnguard, st.strictAtBirth, st.namespaces, st.secondNIC, st.drift, st.policy,
	} {
		chapterCtx, cancel := context.WithTimeout(ctx, stepTimeout)
		err := chapter(chapterCtx)
		cancel()
		if err != nil {
			return err
		}
	}
	t.say(
		"\n%d of %d verdicts as expected, %s in all.",
		t.asExpected,
		t.verdicts,
		time.Since(begin).Round(100*time.Millisecond),
	)
	printNextSteps(t, st, o)
	if o.Keep && ctx.Err() == nil {
		<-ctx.Done()
	}
	if t.asExpected != t.verdicts {
		return ErrDiffers
	}
	return nil
}

// printNextSteps prints what the user can do next.
func printNextSteps(t *teller, st *story, o Options) {
	info := st.scene.Lab.Info()
	if o.Keep {
		t.say("\nThe lab stays up until Ctrl-C. To look around:\n")
	} else {
		t.say("\nThe lab is taken down now. `make demo KEEP=1` leaves it up, with these to look around:\n")
	}
	t.say("  export KUBECONFIG=%s", info.Kubeconfigs["admin"])
	t.say("  export OVN_NB_DB=%s", info.NB)
	t.say("  curl -s %s | grep ^ovnguard_", st.guard.Metrics)
	t.say("  %s audit", o.Guard)
}

// teller writes the story and counts its verdicts.
type teller struct {
	out        io.Writer
	colour     bool
	verdicts   int
	asExpected int
}

func (t *teller) say(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, format+"\n", args...) // the story goes on even without a reader
}

func (t *teller) chapter(number int, title string) { t.say("\n%d. %s", number, title) }

// verdict writes one line of the table: the frame, the expected result, and the real one.
func (t *teller) verdict(what, want, got string) {
	t.verdicts++
	word, paint := "DIFFERS", "\x1b[1;31m"
	if want == got {
		t.asExpected++
		word, paint = "ok", "\x1b[32m"
	}
	if t.colour {
		word = paint + word + "\x1b[0m"
	}
	t.say("   %-58s %-10s %-10s %s", what, want, got, word)
}

// header writes the table's head.
func (t *teller) header(first string) {
	t.say("   %-58s %-10s %-10s", first, "expected", "seen")
}
