package ovn

import (
	"errors"
	"fmt"
	"io"
)

// framer cuts a stream of JSON values into its messages. OVSDB puts nothing between them, so their ends are found by
// counting brackets.
type framer struct {
	from  io.Reader
	limit int
	heard func()
	buf   []byte
	// start and end bound the bytes in buf that were read and not yet given out.
	start, end int
}

const (
	// messageLimit bounds one message in bytes. A database of a million ports is half of it.
	messageLimit = 1 << 30
	// keepBuffer is the largest buffer, in bytes, that is kept for the next message.
	keepBuffer = 1 << 20
	readAtOnce = 64 << 10
)

var errTooLong = errors.New("the server sent a message that is too long")

// next returns the next message. Its bytes are valid until the next call.
func (f *framer) next() ([]byte, error) {
	if f.start == f.end {
		f.start, f.end = 0, 0
		if cap(f.buf) > keepBuffer {
			f.buf = nil
		}
	}
	depth, inString, escaped := 0, false, false
	for at := f.start; ; at++ {
		for at == f.end {
			moved, err := f.fill()
			if err != nil {
				return nil, err
			}
			at -= moved
		}
		switch c := f.buf[at]; {
		case c < ' ' && c != '\n' && c != '\r' && c != '\t':
			return nil, fmt.Errorf("%w: the server sent %q, which is allowed nowhere", errJSON, c)
		case escaped:
			escaped = false
		case inString:
			switch c {
			case '\\':
				escaped = true
			case '"':
				inString = false
			}
		case c == '"':
			inString = true
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			depth--
			if depth == 0 {
				message := f.buf[f.start : at+1]
				f.start = at + 1
				return message, nil
			}
		case depth == 0 && (c == ' ' || c == '\n' || c == '\r' || c == '\t'):
			f.start = at + 1
		}
		if depth <= 0 && f.start != at+1 {
			return nil, fmt.Errorf("%w: the server sent %q where a message begins", errJSON, f.buf[at])
		}
	}
}

// fill reads more, and tells by how much the bytes that are there were moved to the front.
func (f *framer) fill() (moved int, err error) {
	if f.end == cap(f.buf) {
		if f.start > 0 {
			moved = f.start
			copy(f.buf, f.buf[f.start:f.end])
			f.start, f.end = 0, f.end-f.start
		}
		switch {
		case f.end == cap(f.buf) && cap(f.buf) >= f.limit:
			return moved, fmt.Errorf("%w: more than %d bytes", errTooLong, f.limit)
		case f.end >= cap(f.buf)/2 && cap(f.buf) < f.limit:
			bigger := make([]byte, min(max(2*cap(f.buf), readAtOnce), f.limit))
			copy(bigger, f.buf[:f.end])
			f.buf = bigger
		}
	}
	f.buf = f.buf[:cap(f.buf)]
	n, err := f.from.Read(f.buf[f.end:])
	f.end += n
	if n > 0 {
		f.heard()
		return moved, nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return moved, err
}
