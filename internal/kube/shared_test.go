package kube

import (
	"maps"
	"reflect"
	"strconv"
	"sync"
	"testing"
)

// Pods with the same labels share one map of them, and no pod gets the labels of another, whatever happens between or
// at the same time.
func TestSharedLabels(t *testing.T) {
	same := func(a, b map[string]string) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }
	one, two := map[string]string{"app": "web", "hash": "1"}, map[string]string{"hash": "1", "app": "web"}
	if a, b := sharedLabels(one), sharedLabels(two); !same(a, b) || !maps.Equal(a, one) {
		t.Errorf("%v and %v are not one", a, b)
	}
	if sharedLabels(nil) != nil || sharedLabels(map[string]string{}) != nil {
		t.Error("no labels are some")
	}
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 10_000 {
				labels := map[string]string{"app": strconv.Itoa(i % 3000), "worker": strconv.Itoa(worker % 2)}
				if got := sharedLabels(labels); !maps.Equal(got, labels) {
					t.Errorf("%v for %v", got, labels)
				}
			}
		})
	}
	group.Wait()
}
