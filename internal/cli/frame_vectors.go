package cli

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/vector"
)

// frameVectorVerdict is what is said of one vector, on a line of its own.
type frameVectorVerdict struct {
	// ID is that of the vector, or its place counted from 1.
	ID      string `json:"id"`
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
	Rule    string `json:"rule"`
	// Expected is given where it differs.
	Expected string `json:"expected,omitempty"`
}

// runVectors judges every vector of a file and compares with the verdicts that it gives.
func (o *frameOptions) runVectors(eras []portsec.Era, out, messages io.Writer) error {
	file, err := os.Open(o.vectors)
	if err != nil {
		return usage(fmt.Errorf("--vectors: %w", err))
	}
	defer func() { _ = file.Close() }()
	vectors, err := vector.Read(file)
	if err != nil {
		return usage(fmt.Errorf("--vectors: %s: %w", o.vectors, err))
	}
	if err := o.checkVectors(vectors); err != nil {
		return usage(err)
	}
	verdicts := make([]frameVectorVerdict, 0, len(vectors))
	var compared, different int
	for i, v := range vectors {
		if v.ID == "" {
			v.ID = strconv.Itoa(i + 1)
		}
		line, err := frameJudgeVector(eras, v)
		if err != nil {
			return usage(fmt.Errorf("--vectors: %s: vector %d (%s): %w", o.vectors, i+1, v.ID, err))
		}
		if expected, ok := v.Expected(o.build); ok {
			if compared++; expected != line.Verdict {
				different++
				line.Expected = expected
			}
		}
		verdicts = append(verdicts, line)
	}
	if err := o.writeVectors(out, verdicts); err != nil {
		return err
	}
	summary := fmt.Sprintf(
		"%d vectors judged as %v, %d compared, %d different\n",
		len(vectors),
		eras,
		compared,
		different,
	)
	if different > 0 && len(eras) > 1 {
		summary += "A frame counted as dropped only if all these eras drop it; give --era, --ovn-version or --build " +
			"to ask one.\n"
	}
	if _, err := io.WriteString(messages, summary); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	if different > 0 {
		return &exitError{code: exitFindings}
	}
	return nil
}

// checkVectors refuses a file that compares with nothing: without vectors, or without one that the build was seen with.
func (o *frameOptions) checkVectors(vectors []vector.Vector) error {
	if len(vectors) == 0 {
		return fmt.Errorf(
			"--vectors: %s holds no vector; want a JSON array of them or one JSON object a line",
			o.vectors,
		)
	}
	if o.build == "" {
		return nil
	}
	builds := make(map[string]bool)
	for _, v := range vectors {
		for build := range v.Observed {
			builds[build] = true
		}
	}
	if builds[o.build] {
		return nil
	}
	known := "the file names none"
	if len(builds) > 0 {
		known = "it has " + strings.Join(slices.Sorted(maps.Keys(builds)), ", ")
	}
	return fmt.Errorf("--build: no vector of %s was observed with %q; %s", o.vectors, o.build, known)
}

func frameJudgeVector(eras []portsec.Era, v vector.Vector) (frameVectorVerdict, error) {
	verdicts := make([]portsec.Verdict, len(eras))
	for i, era := range eras {
		var err error
		if verdicts[i], err = v.Judge(era); err != nil {
			return frameVectorVerdict{}, err
		}
	}
	c := frameCombine(eras, verdicts)
	return frameVectorVerdict{ID: v.ID, Verdict: c.Verdict, Reason: c.Reason, Rule: c.Rule}, nil
}
