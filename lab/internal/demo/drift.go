package demo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// noticeWithin is the time in which the audit must notice a change in the database.
const noticeWithin = time.Second

// drift empties a protected port by hand and waits for the finding.
func (st *story) drift(ctx context.Context) error {
	t := st.teller
	t.chapter(5, "Somebody empties port_security with ovn-nbctl")
	before, err := st.openPorts(ctx)
	if err != nil {
		return err
	}
	if _, err := st.scene.Nbctl(ctx, "lsp-set-port-security", st.erin.Port); err != nil {
		return err
	}
	begin := time.Now()
	err = scene.Wait(ctx, "the finding", func() (bool, error) {
		n, err := st.openPorts(ctx)
		return n == before+1, err
	})
	if err != nil {
		return err
	}
	took := time.Since(begin)
	seen := "later"
	if took <= noticeWithin {
		seen = "in time"
	}
	t.header("the audit")
	t.verdict(
		fmt.Sprintf("  metric ovnguard_findings{rule=\"OVG001\"} after %s", took.Round(time.Millisecond)),
		"in time",
		seen,
	)
	report, err := st.audit(ctx)
	if err != nil {
		return err
	}
	t.verdict("  ovnguard audit, "+st.erin.Port, "OVG001", report.rule(st.erin.Port))
	return nil
}

// openPorts returns the number of findings that say a port is open, from the metrics.
func (st *story) openPorts(ctx context.Context) (int, error) {
	page, err := scene.Get(ctx, st.guard.Metrics)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(page) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), `ovnguard_findings{rule="OVG001"} `); found {
			return strconv.Atoi(value)
		}
	}
	return 0, fmt.Errorf("%s has no ovnguard_findings{rule=\"OVG001\"}", st.guard.Metrics)
}
