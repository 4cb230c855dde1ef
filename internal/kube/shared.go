package kube

import (
	"hash/maphash"
	"maps"
	"strings"
	"sync/atomic"
)

// texts are texts that were met lately, by a hash: a fixed number of places, so that it cannot grow.
var texts [4096]atomic.Pointer[string]

var seed = maphash.MakeSeed()

// shared returns the text in memory that it has in common with others that said the same lately, as keys, and the names
// of namespaces and switches, do on thousands of pods.
func shared(text string) string {
	at := &texts[maphash.String(seed, text)%uint64(len(texts))]
	if met := at.Load(); met != nil && *met == text {
		return *met
	}
	text = strings.Clone(text)
	at.Store(&text)
	return text
}

// sharedMap returns the entries whose key is picked, with keys that share their memory, and values, too, where they are
// common.
func sharedMap(of map[string]string, pick, common func(key string) bool) map[string]string {
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
		if !pick(key) {
			continue
		}
		if common(key) {
			value = shared(value)
		}
		out[shared(key)] = value
	}
	return out
}

func always(string) bool { return true }

// labelSets are sets of labels that were met lately, by a hash. Pods of one ReplicaSet have the same, and come one
// after the other.
var labelSets [1024]atomic.Pointer[map[string]string]

// sharedLabels returns the labels as a map that all objects with the same labels have in common, if others had them
// lately. Nobody may change it.
func sharedLabels(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	var hash uint64 // in no order, as the map
	for key, value := range labels {
		hash += maphash.String(seed, key+"="+value)
	}
	at := &labelSets[hash%uint64(len(labelSets))]
	if met := at.Load(); met != nil && maps.Equal(*met, labels) {
		return *met
	}
	out := sharedMap(labels, always, always)
	at.Store(&out)
	return out
}
