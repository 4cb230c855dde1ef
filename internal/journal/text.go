package journal

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Text says what a change does.
func (e Entry) Text() string {
	words := []string{"port " + e.Port}
	if e.After.PortSecurity != nil {
		words = append(words, fmt.Sprintf("port_security %q -> %q", *e.Before.PortSecurity, *e.After.PortSecurity))
	}
	if e.After.Addresses != nil {
		words = append(words, fmt.Sprintf("addresses %q -> %q", *e.Before.Addresses, *e.After.Addresses))
	}
	if e.After.ExternalIDs != nil {
		words = append(words, fmt.Sprintf("external_ids %q -> %q", *e.Before.ExternalIDs, *e.After.ExternalIDs))
	}
	for _, key := range slices.Sorted(maps.Keys(e.After.Annotations)) {
		words = append(words, fmt.Sprintf("annotation %s of pod %s/%s %s -> %s", key, e.Namespace, e.Pod,
			AnnotationText(e.Before.Annotations[key]), AnnotationText(e.After.Annotations[key])))
	}
	return strings.Join(words, ", ")
}

// AnnotationText returns the value of an annotation as people read it.
func AnnotationText(value string) string {
	if value == "" {
		return "none"
	}
	return strconv.Quote(value)
}
