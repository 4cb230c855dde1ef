package report

import (
	"fmt"
	"io"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/openreports"
)

// OpenReports writes the Reports that `ovnguard controller` keeps in the cluster, as YAML documents.
func OpenReports(w io.Writer, s Summary) error {
	book := openreports.NewBook()
	for i := range s.judged {
		book.Judged(monitor.Verdict{Port: s.judged[i].Port}, s.judged[i].Verdict)
	}
	for _, namespace := range book.Namespaces() {
		object, _ := openreports.Object(namespace, book.Failures(namespace), nil, s.Time)
		object.GetObjectKind().SetGroupVersionKind(openreports.KindOf(object))
		if _, err := fmt.Fprintln(w, "---"); err != nil {
			return err
		}
		if err := answer.WriteYAML(w, object); err != nil {
			return err
		}
	}
	return nil
}
