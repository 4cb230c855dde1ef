package podcmd

import (
	"errors"
	"strings"
	"testing"
)

func TestEveryLineIsAnswered(t *testing.T) {
	var sent []string
	var out strings.Builder
	err := sendLines(&out, strings.NewReader("0a00000000010203\nnonsense\n0a\n0affffffffff\n"), func(f []byte) error {
		if f[1] == 0xff {
			return errors.New("the link is down")
		}
		sent = append(sent, string(f))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(sent) != 1 || sent[0] != "\x0a\x00\x00\x00\x00\x01\x02\x03" {
		t.Errorf("sent %q", sent)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{"sent", "not sent: encoding/hex", "not sent: a frame begins", "not sent: the link is down"}
	if len(lines) != len(want) {
		t.Fatalf("answers %q", lines)
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], want[i]) {
			t.Errorf("line %d was answered with %q, want %q", i, lines[i], want[i])
		}
	}
}
