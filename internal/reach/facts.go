package reach

import (
	"fmt"

	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/inventory"
)

// Facts returns what was found as the inventory has it.
func (f *Found) Facts() (all []inventory.Reached) {
	at := make(map[intent.Ref]int)
	of := func(r intent.Ref) *inventory.Reached {
		i, known := at[r]
		if !known {
			i = len(all)
			at[r] = i
			all = append(all, inventory.Reached{Kind: r.Kind, Namespace: r.Namespace, Name: r.Name})
		}
		return &all[i]
	}
	for i := range f.Voids {
		v := &f.Voids[i]
		of(v.Policy).Void = &inventory.Void{
			Forgers: v.Forgers, ForgersTotal: inventory.Rounded(v.ForgersTotal),
			Targets: v.Targets, TargetsTotal: inventory.Rounded(v.TargetsTotal),
			Elsewhere: v.Elsewhere, Example: v.Example.Sentence(),
		}
	}
	for _, u := range f.Unrealised {
		of(u.Policy).Unrealised = &inventory.Unrealised{
			Passes: u.Passes, PassesTotal: u.PassesTotal, Stops: u.Stops, StopsTotal: u.StopsTotal,
		}
	}
	for _, u := range f.Ungoverned {
		all = append(all, inventory.Reached{
			Kind: "Pod", Namespace: u.Namespace, Name: u.Pod, Ungoverned: u.Granted,
		})
	}
	return all
}

// Sentence tells of a walk in one sentence.
func (w *Walk) Sentence() string {
	how := "comes to"
	switch w.Delivered {
	case No:
		how = "does not come to"
	case Unknown:
		how = "may come to"
	case Yes:
	}
	as := "with its own source " + w.Source.IP.String()
	if !w.Honest {
		as = "as " + w.Source.IP.String()
	}
	return fmt.Sprintf("%s %s %s %s (%s)", w.From.Owner(), as, how, w.To.Owner(), w.Packet)
}
