package report

import (
	"encoding/csv"
	"io"
	"strings"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
)

// csvHeader names the columns. New ones may come at the end.
var csvHeader = []string{
	"rule", "name", "severity", "namespace", "pod", "workload", "provider", "port", "switch", "class", "message", "fix",
	"port_security", "addresses", "identity", "decision", "change",
}

// CSV writes the findings, one a row, for spreadsheets. Those that went since an earlier report come last.
func CSV(w io.Writer, s Summary) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvHeader); err != nil {
		return err
	}
	err := s.each(func(f audit.Finding, change string) error {
		row := []string{
			f.Rule.ID, f.Rule.Name, string(f.Rule.Severity), f.Namespace, f.Pod, workload(f), string(f.Provider),
			f.Port, f.Evidence.Switch, string(f.Evidence.Class), f.Message, f.Fix,
			strings.Join(f.Evidence.PortSecurity, ", "), strings.Join(f.Evidence.Addresses, ", "),
			f.Evidence.Identity, f.Evidence.Decision, change,
		}
		for i := range row {
			row[i] = answer.CSVCell(row[i])
		}
		return out.Write(row)
	})
	if err != nil {
		return err
	}
	out.Flush()
	return out.Error()
}
