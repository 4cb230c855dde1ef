package intent

import (
	"cmp"
	"math/bits"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// metadataName is the label that the API server writes on each namespace.
const metadataName = "kubernetes.io/metadata.name"

// universe are the pods that selectors may select, each at a place. Pods of one namespace are side by side, so that a
// namespace is a range and what selects within it is small.
type universe struct {
	pods       []Pod
	order      []int32 // by place, the index in pods
	placeOf    []int32 // by index in pods, the place; -1 on the host's network
	namespaces []namespace
	unknown    []string // namespaces that pods are in and nobody described

	values map[string]map[string][]int32 // by key of labels and value, the places that have it
	// What selectors select, by their text.
	podSets       map[string]set
	namespaceSets map[string]set
}

// namespace is a namespace with the places of its pods.
type namespace struct {
	name     string
	labels   map[string]string
	from, to int
}

func newUniverse(c Cluster) *universe {
	u := &universe{
		pods:          c.Pods,
		placeOf:       make([]int32, len(c.Pods)),
		values:        make(map[string]map[string][]int32),
		podSets:       make(map[string]set),
		namespaceSets: make(map[string]set),
	}
	for p := range c.Pods {
		if u.placeOf[p] = -1; !c.Pods[p].HostNetwork {
			u.order = append(u.order, int32(p))
		}
	}
	slices.SortStableFunc(u.order, func(a, b int32) int {
		return cmp.Compare(c.Pods[a].Namespace, c.Pods[b].Namespace)
	})
	for place, p := range u.order {
		u.placeOf[p] = int32(place)
		name := c.Pods[p].Namespace
		if last := len(u.namespaces) - 1; last < 0 || u.namespaces[last].name != name {
			described, ok := c.Namespaces[name]
			if !ok {
				described = map[string]string{metadataName: name}
				u.unknown = append(u.unknown, name)
			}
			u.namespaces = append(u.namespaces, namespace{name: name, labels: described, from: place})
		}
		u.namespaces[len(u.namespaces)-1].to = place + 1
	}
	return u
}

// in returns the pods of one namespace.
func (u *universe) in(name string) set {
	n, ok := slices.BinarySearchFunc(u.namespaces, name, func(ns namespace, name string) int {
		return cmp.Compare(ns.name, name)
	})
	if !ok {
		return set{}
	}
	full := u.empty()
	full.fill(u.namespaces[n].from, u.namespaces[n].to)
	return trim(full)
}

// everyone returns all pods.
func (u *universe) everyone() set {
	full := u.empty()
	full.fill(0, len(u.order))
	return trim(full)
}

// inNamespaces returns the pods of all namespaces that a selector selects; none without one.
func (u *universe) inNamespaces(s *metav1.LabelSelector) (set, error) {
	return selected(u.namespaceSets, s, func(selector labels.Selector) wide {
		full := u.empty()
		for _, ns := range u.namespaces {
			if selector.Matches(labels.Set(ns.labels)) {
				full.fill(ns.from, ns.to)
			}
		}
		return full
	})
}

// labelled returns the pods of all namespaces that a selector selects by their own labels; none without one.
func (u *universe) labelled(s *metav1.LabelSelector) (set, error) {
	return selected(u.podSets, s, func(selector labels.Selector) wide {
		requirements, _ := selector.Requirements()
		full := u.empty()
		full.fill(0, len(u.order))
		for _, r := range requirements {
			for n, w := range u.required(r) {
				full[n] &= w
			}
		}
		return full
	})
}

// selected returns what a selector selects, which find finds; none without one. It is found once for each selector, and
// kept in known.
func selected(known map[string]set, s *metav1.LabelSelector, find func(labels.Selector) wide) (set, error) {
	if s == nil {
		return set{}, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return set{}, err
	}
	text := selector.String()
	if found, ok := known[text]; ok {
		return found, nil
	}
	found := trim(find(selector))
	known[text] = found
	return found, nil
}

// required returns the pods that meet one requirement. Label selectors know four operators.
func (u *universe) required(r labels.Requirement) wide {
	values, full, operator := u.valuesOf(r.Key()), u.empty(), r.Operator()
	if operator == selection.Exists || operator == selection.DoesNotExist {
		for _, places := range values {
			full.addAll(places)
		}
	} else {
		for v := range r.Values() {
			full.addAll(values[v])
		}
	}
	if operator == selection.NotIn || operator == selection.DoesNotExist {
		for n := range full {
			full[n] = ^full[n]
		}
	}
	return full
}

// valuesOf returns the places of pods by their values of a label. A key is looked at once, when a selector names it.
func (u *universe) valuesOf(key string) map[string][]int32 {
	if known, ok := u.values[key]; ok {
		return known
	}
	values := make(map[string][]int32)
	for place, p := range u.order {
		if v, ok := u.pods[p].Labels[key]; ok {
			values[v] = append(values[v], int32(place))
		}
	}
	u.values[key] = values
	return values
}

// empty returns a set without pods, as wide as the universe.
func (u *universe) empty() wide { return make(wide, (len(u.order)+63)/64) }

// indexes returns the pods of a set as indexes in Cluster.Pods, in order.
func (u *universe) indexes(s set) []int {
	var found []int
	for place := range s.all {
		found = append(found, int(u.order[place]))
	}
	slices.Sort(found)
	return found
}

// wide is a set of places with a bit for each place of the universe.
type wide []uint64

func (w wide) add(place int) { w[place/64] |= 1 << (place % 64) }

func (w wide) addAll(places []int32) {
	for _, p := range places {
		w.add(int(p))
	}
}

// fill adds the places from one up to, and without, another.
func (w wide) fill(from, to int) {
	for place := from; place < to; {
		if place%64 == 0 && to-place >= 64 {
			w[place/64] = ^uint64(0)
			place += 64
			continue
		}
		w.add(place)
		place++
	}
}

// set is a set of places without the empty words at both ends. It is not changed after it was made.
type set struct {
	first int // the word that words[0] stands for
	words []uint64
}

// trim returns a wide set as a set.
func trim(w wide) set {
	first, last := 0, len(w)
	for first < last && w[first] == 0 {
		first++
	}
	for last > first && w[last-1] == 0 {
		last--
	}
	return set{first, slices.Clone(w[first:last])}
}

// has reports whether a place is in the set.
func (s set) has(place int32) bool {
	word := int(place)/64 - s.first
	return uint(word) < uint(len(s.words)) && s.words[word]&(1<<(place%64)) != 0
}

// and returns what is in both.
func (s set) and(o set) set {
	from, to := max(s.first, o.first), min(s.first+len(s.words), o.first+len(o.words))
	if from >= to {
		return set{}
	}
	both := make(wide, to)
	for n := from; n < to; n++ {
		both[n] = s.words[n-s.first] & o.words[n-o.first]
	}
	return trim(both)
}

// or returns what is in one of them.
func (s set) or(o set) set {
	if len(s.words) == 0 || len(o.words) == 0 {
		if len(s.words) == 0 {
			return o
		}
		return s
	}
	all := make(wide, max(s.first+len(s.words), o.first+len(o.words)))
	copy(all[s.first:], s.words)
	for n, w := range o.words {
		all[o.first+n] |= w
	}
	return trim(all)
}

// all yields the places of the set in order.
func (s set) all(yield func(int32) bool) {
	for n, w := range s.words {
		for ; w != 0; w &= w - 1 {
			if !yield(int32((s.first+n)*64 + bits.TrailingZeros64(w))) {
				return
			}
		}
	}
}
