package dbfile

import (
	"crypto/sha1" //nolint:gosec // the format's checksum against accidents, not a defence
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Each record has a line of its own before it: magic, kind, length of the body in bytes, SHA-1 of the body.
const (
	magic          = "OVSDB "
	kindStandalone = "JSON"
	kindClustered  = "CLUSTER"
	hashLength     = 2 * sha1.Size
	// maxHeader bounds the line before a record, so that rubbish is not searched for its end.
	maxHeader = 128
)

// Why a record cannot be read.
var (
	// ErrHeader means that the line before the record is not one.
	ErrHeader = errors.New("no record header")
	// ErrTruncated means that the file ends before the record does.
	ErrTruncated = errors.New("the file ends inside the record")
	// ErrChecksum means that the record's bytes are not those that were written.
	ErrChecksum = errors.New("checksum")
	// ErrContent means that the bytes are those that were written, and cannot be understood or do not fit what is
	// before.
	ErrContent = errors.New("content")
)

// errEnd is the regular end of the file.
var errEnd = errors.New("end of file")

// Loss says what of a file could not be read. Everything before it is in the database, nothing behind it is: a
// transaction builds on those before it.
type Loss struct {
	// Record is the number of the first record that is lost; the one with schema or header is 0.
	Record int
	// Offset is where that record begins, in bytes from the file's beginning.
	Offset int
	// Bytes counts the bytes from Offset to the file's end.
	Bytes int
	// Err says why, and wraps one of ErrHeader, ErrTruncated, ErrChecksum, ErrContent.
	Err error
}

// String says all of it in one sentence.
func (l *Loss) String() string {
	return fmt.Sprintf("record %d at byte %d and what follows, %d bytes in all: %v", l.Record, l.Offset, l.Bytes, l.Err)
}

// lossAt makes a loss. An error that knows its own place, because the record at fault is an earlier one, keeps it.
func lossAt(err error, number, offset, size int) *Loss {
	if placed, ok := errors.AsType[*placedError](err); ok {
		number, offset, err = placed.record, placed.offset, placed.err
	}
	return &Loss{Record: number, Offset: offset, Bytes: size - offset, Err: err}
}

// placedError is an error of a record that was read before.
type placedError struct {
	record, offset int
	err            error
}

// Error implements error.
func (e *placedError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *placedError) Unwrap() error { return e.err }

// record is one record with a correct checksum.
type record struct {
	offset int
	kind   string
	body   string
}

// splitter takes a file apart.
type splitter struct {
	text string
	at   int
}

// next returns the next record, or errEnd. On any error the record has the offset at which it begins.
func (s *splitter) next() (record, error) {
	r := record{offset: s.at}
	rest := s.text[s.at:]
	if rest == "" {
		return r, errEnd
	}
	line, length, hash, err := parseHeader(rest)
	if err != nil {
		return r, err
	}
	r.kind = line.kind
	if length > len(rest)-line.size {
		return r, fmt.Errorf("%w: it should have %d bytes, and %d are there", ErrTruncated, length, len(rest)-line.size)
	}
	r.body = rest[line.size : line.size+length]
	sum := sha1.Sum([]byte(r.body)) //nolint:gosec // see the import
	if got := hex.EncodeToString(sum[:]); !strings.EqualFold(got, hash) {
		return r, fmt.Errorf("%w: the %d bytes have %s, the header says %s", ErrChecksum, length, got, hash)
	}
	if !utf8.ValidString(r.body) {
		return r, fmt.Errorf("%w: it is not UTF-8", ErrContent)
	}
	s.at += line.size + length
	return r, nil
}

// header is the line before a record, with its size in bytes.
type header struct {
	kind string
	size int
}

func parseHeader(rest string) (h header, length int, hash string, err error) {
	window := rest[:min(len(rest), maxHeader)]
	line, _, found := strings.Cut(window, "\n")
	if !found {
		if len(rest) < maxHeader && strings.HasPrefix(magic, window[:min(len(window), len(magic))]) {
			return h, 0, "", fmt.Errorf("%w: not even its header is complete", ErrTruncated)
		}
		return h, 0, "", fmt.Errorf("%w: %q", ErrHeader, beginning(window))
	}
	words := strings.Split(line, " ")
	if len(words) != 4 || words[0]+" " != magic {
		return h, 0, "", fmt.Errorf("%w: %q, want OVSDB, kind, length and hash", ErrHeader, line)
	}
	length, err = strconv.Atoi(words[2])
	if err != nil || length <= 0 {
		return h, 0, "", fmt.Errorf("%w: length %q is no positive number", ErrHeader, words[2])
	}
	hash = words[3]
	if _, err := hex.DecodeString(hash); err != nil || len(hash) != hashLength {
		return h, 0, "", fmt.Errorf("%w: hash %q is not %d hexadecimal digits", ErrHeader, hash, hashLength)
	}
	return header{kind: words[1], size: len(line) + 1}, length, hash, nil
}
