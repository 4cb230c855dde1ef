package reach

import (
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// WriteDOT writes lines as a graph in the language of Graphviz. What comes by a forged source alone is dashed and red.
func WriteDOT(to io.Writer, namespace string, lines []Line) error {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n  rankdir=LR;\n  node [shape=box];\n", quote(namespace))
	for _, l := range lines {
		if len(l.Honest) > 0 {
			fmt.Fprintf(&b, "  %s -> %s [label=%s];\n",
				quote(l.From.String()), quote(l.To.String()), quote(strings.Join(l.Honest, ", ")))
		}
		if len(l.Forged) > 0 {
			fmt.Fprintf(&b, "  %s -> %s [label=%s, style=dashed, color=red];\n",
				quote(l.From.String()), quote(l.To.String()), quote(strings.Join(l.Forged, ", ")+" as "+l.As))
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(to, b.String())
	return err
}

// quote returns a string of Graphviz, on one line.
func quote(s string) string { return strconv.Quote(strings.ToValidUTF8(s, "?")) }

// Measures of the drawing.
const (
	rowHeight, boxWidth, boxHeight, gapWidth, margin = 40, 320, 28, 360, 20
)

// svgBox is a group, and svgEdge a line between two of them.
type (
	svgBox struct {
		X, Y, TextX, TextY int
		Text               string
	}
	svgEdge struct {
		X1, Y1, X2, Y2, TextX, TextY int
		Text                         string
		Forged                       bool
	}
)

// WriteSVG writes lines as a drawing: who sends on the left, who receives on the right. What comes by a forged source
// alone is dashed and red, and says so.
func WriteSVG(to io.Writer, namespace string, lines []Line) error {
	var left, right []string
	for _, l := range lines {
		if !slices.Contains(left, l.From.String()) {
			left = append(left, l.From.String())
		}
		if !slices.Contains(right, l.To.String()) {
			right = append(right, l.To.String())
		}
	}
	drawing := struct {
		Title         string
		Width, Height int
		Boxes         []svgBox
		Edges         []svgEdge
		BoxW, BoxH    int
	}{
		Title: "What comes to pods of " + namespace, Width: 2*margin + 2*boxWidth + gapWidth,
		Height: 2*margin + rowHeight*(1+max(len(left), len(right))), BoxW: boxWidth, BoxH: boxHeight,
	}
	y := func(i int) int { return margin + rowHeight*(i+1) }
	for x, names := range map[int][]string{margin: left, margin + boxWidth + gapWidth: right} {
		for i, name := range names {
			drawing.Boxes = append(drawing.Boxes, svgBox{x, y(i), x + 8, y(i) + 19, name})
		}
	}
	slices.SortFunc(drawing.Boxes, func(a, b svgBox) int { return a.X*1e6 + a.Y - b.X*1e6 - b.Y })
	for _, l := range lines {
		for _, forged := range []bool{false, true} {
			text := strings.Join(l.Honest, ", ")
			shift := 0
			if forged {
				text, shift = strings.Join(l.Forged, ", "), boxHeight/3
			}
			if text == "" {
				continue
			}
			if forged {
				text += " as " + l.As
			}
			from, at := y(slices.Index(left, l.From.String()))+8+shift, y(slices.Index(right, l.To.String()))+8+shift
			x1, x2 := margin+boxWidth, margin+boxWidth+gapWidth
			drawing.Edges = append(drawing.Edges, svgEdge{
				x1, from, x2, at, x1 + (x2-x1)/4, from + (at-from)/4 - 3, text, forged,
			})
		}
	}
	return svgTemplate.Execute(to, drawing)
}

var svgTemplate = template.Must(template.New("svg").Funcs(template.FuncMap{"text": printed}).Parse(
	`<svg xmlns="http://www.w3.org/2000/svg" width="{{.Width}}" height="{{.Height}}" ` +
		`viewBox="0 0 {{.Width}} {{.Height}}" font-family="sans-serif" font-size="12">
<title>{{text .Title}}</title>
<rect width="100%" height="100%" fill="white"/>
<text x="20" y="24" font-size="15">{{text .Title}}</text>
{{range .Edges}}<line x1="{{.X1}}" y1="{{.Y1}}" x2="{{.X2}}" y2="{{.Y2}}" ` +
		`stroke="{{if .Forged}}#b3261e{{else}}#444{{end}}"{{if .Forged}} stroke-dasharray="6 4"{{end}}/>
<text x="{{.TextX}}" y="{{.TextY}}" fill="{{if .Forged}}#b3261e{{else}}#222{{end}}">` +
		`{{if .Forged}}forged: {{end}}{{text .Text}}</text>
{{end}}{{range .Boxes}}<rect x="{{.X}}" y="{{.Y}}" width="{{$.BoxW}}" height="{{$.BoxH}}" rx="4" ` +
		`fill="#eef2f7" stroke="#456"/>
<text x="{{.TextX}}" y="{{.TextY}}">{{text .Text}}</text>
{{end}}</svg>
`))

// printed returns a text without characters that XML does not allow; the template escapes the others.
func printed(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}
