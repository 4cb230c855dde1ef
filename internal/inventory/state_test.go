package inventory

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// A snapshot is a copy of a State. It may share nothing with the original that is written to: no map of Go, and no
// pointer except to values that are replaced as a whole.
func TestStateIsCopiedByValue(t *testing.T) {
	replaced := map[reflect.Type]bool{
		reflect.TypeFor[*rangeNode](): true,
		reflect.TypeFor[*memo]():      true, // a snapshot has its own, with a lock
		reflect.TypeFor[occupied]():   true, // Snapshot copies it
		reflect.TypeFor[time.Time]():  true,
	}
	var walk func(of reflect.Type, path string)
	walk = func(of reflect.Type, path string) {
		if replaced[of] || strings.HasSuffix(of.PkgPath(), "internal/persistent") {
			return
		}
		switch of.Kind() { //nolint:exhaustive // the others are values, or lists that are replaced
		case reflect.Struct:
			for field := range of.Fields() {
				walk(field.Type, path+"."+field.Name)
			}
		case reflect.Map, reflect.Pointer, reflect.Chan, reflect.Func, reflect.Interface:
			t.Errorf("%s is a %s, which a copy shares", path, of)
		}
	}
	walk(reflect.TypeFor[State](), "State")
}
