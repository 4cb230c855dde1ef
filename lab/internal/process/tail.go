package process

import (
	"bytes"
	"io"
	"os"
	"strings"
)

const (
	tailBytes = 8 << 10
	tailLines = 25
)

// tail returns the last lines of a log file, starting not before offset from, where this run began. An unreadable log
// has no tail: the message that contains it names the file.
func tail(path string, from int64) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }() // it is only read
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	cut := info.Size()-tailBytes > from
	if cut {
		from = info.Size() - tailBytes
	}
	data, err := io.ReadAll(io.NewSectionReader(file, from, tailBytes))
	if err != nil {
		return ""
	}
	if newline := bytes.IndexByte(data, '\n'); cut && newline >= 0 {
		data = data[newline+1:] // an incomplete line
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	return strings.Join(lines, "\n")
}
