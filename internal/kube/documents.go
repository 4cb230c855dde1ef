package kube

import "bytes"

// Document is one document of a YAML file.
type Document struct {
	Text []byte
	// Number counts from 1, and Line is the one in the file at which the text begins.
	Number, Line int
}

// Documents splits YAML into documents, without those that hold nothing but comments. It writes into the data.
func Documents(data []byte) (all []Document) {
	line := 1
	for _, text := range split(data) {
		start := line
		line += bytes.Count(text, []byte("\n"))
		if isBlank(text) {
			continue
		}
		lead := text[:len(text)-len(bytes.TrimLeft(text, " \t\r\n"))]
		lead = lead[:bytes.LastIndexByte(lead, '\n')+1]
		start += bytes.Count(lead, []byte("\n"))
		all = append(all, Document{text[len(lead):], len(all) + 1, start})
	}
	return all
}

// split splits YAML at the lines that separate documents. The texts have all lines of the data together.
func split(data []byte) (texts [][]byte) {
	begin := 0
	for at := 0; at < len(data); {
		end := bytes.IndexByte(data[at:], '\n') + 1
		if end == 0 {
			end = len(data) - at
		}
		text := data[at : at+end]
		at += end
		if separates(text) {
			// The separator itself becomes blanks in the document that it begins.
			texts = append(texts, data[begin:at-end])
			begin = at - end
			copy(text, "   ")
		}
	}
	return append(texts, data[begin:])
}

// separates reports whether a line ends a document and begins another one.
func separates(line []byte) bool {
	for _, mark := range []string{"---", "..."} {
		if rest, ok := bytes.CutPrefix(
			line,
			[]byte(mark),
		); ok &&
			(len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\r\n")) {
			return true
		}
	}
	return false
}

// isBlank reports whether a document has nothing but comments.
func isBlank(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}
