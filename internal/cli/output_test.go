package cli

import "github.com/ovnguard/ovnguard/internal/answer"

// formats are the names of all formats that every command that looks has.
var formats = func() (names []string) {
	for _, f := range answer.Formats() {
		names = append(names, f.Name)
	}
	return names
}()
