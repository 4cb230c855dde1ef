package kube

import (
	"hash/maphash"
	"maps"
	"sync/atomic"
	"unique"
)

// shared gives the text in memory that it has in common with all others that say the same, as keys, and the names of namespaces and
// switches, do on thousands of pods.
func shared(text string) string { return unique.Make(text).Value() }

// sharedMap gives the entries whose key is picked, with keys and values that share their memory.
func sharedMap(of map[string]string, pick func(key string) bool) map[string]string {
	n := 0
	for key := range of {
		if pick(key) {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	out := make(map[string]string, n)
	for key, value := range of {
		if pick(key) {
			out[shared(key)] = shared(value)
		}
	}
	return out
}

// labelSets are sets of labels that were met lately, by a hash. Pods of one ReplicaSet have the same, and come one after the other.
var labelSets [1024]atomic.Pointer[map[string]string]

var labelSeed = maphash.MakeSeed()

// sharedLabels gives the labels as a map that all objects with the same labels have in common, if others had them lately. Nobody may
// change it.
func sharedLabels(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	var hash uint64 // in no order, as the map
	for key, value := range labels {
		hash += maphash.String(labelSeed, key+"="+value)
	}
	at := &labelSets[hash%uint64(len(labelSets))]
	if met := at.Load(); met != nil && maps.Equal(*met, labels) {
		return *met
	}
	out := sharedMap(labels, func(string) bool { return true })
	at.Store(&out)
	return out
}
