package kubeovn

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// cniType is the CNI plugin type that plugs a NIC into OVN.
const cniType = "kube-ovn"

// sameNIC are the types of CNI plugins that work on the NIC of the plugin before them and make none of their own.
var sameNIC = []string{"bandwidth", "firewall", "portmap", "sbr", "tuning"}

// KindOfConfig tells from the config of a NetworkAttachmentDefinition (spec.config, a CNI configuration or a list of
// them) what the attachment makes: a NIC on OVN where the configuration or one of its plugins has type kube-ovn, and
// KindMixed where that is not all it makes. An empty config is KindUnknown, since the CNI then reads a file on the
// node. Text that is not JSON is an error.
func KindOfConfig(config string) (AttachmentKind, error) {
	if config == "" {
		return KindUnknown, nil
	}
	var conf struct {
		Type    string `json:"type"`
		Plugins []struct {
			Type string `json:"type"`
		} `json:"plugins"`
	}
	if err := json.Unmarshal([]byte(config), &conf); err != nil {
		return KindUnknown, fmt.Errorf("spec.config is not a CNI configuration: %w", err)
	}
	types := []string{conf.Type}
	if conf.Type == "" {
		types = nil
	}
	for _, p := range conf.Plugins {
		types = append(types, p.Type)
	}
	switch {
	case !slices.Contains(types, cniType):
		return KindForeign, nil
	case conf.Type != "" && len(conf.Plugins) > 0: // Multus runs the type, Kube-OVN looks at both
		return KindMixed, nil
	case slices.ContainsFunc(types, func(t string) bool { return t != cniType && !slices.Contains(sameNIC, t) }):
		return KindMixed, nil
	case ambiguous(config):
		return KindMixed, nil
	}
	return KindOVN, nil
}

// ambiguous reports whether two readers of a JSON text may take different values from it: a key is there twice, in
// whatever letters, or "type" or "plugins" is written in other letters, which Go's own reader takes for the same, and
// others, such as Multus where it reads a list, for another.
func ambiguous(text string) bool {
	d := json.NewDecoder(strings.NewReader(text))
	if ambiguousValue(d) {
		return true
	}
	_, err := d.Token()
	return !errors.Is(err, io.EOF)
}

// ambiguousValue reads one value. What cannot be read is ambiguous.
func ambiguousValue(d *json.Decoder) bool {
	token, err := d.Token()
	if err != nil {
		return true
	}
	if _, opens := token.(json.Delim); !opens {
		return false
	}
	keys := make(map[string]bool)
	for d.More() {
		if token == json.Delim('{') {
			read, err := d.Token()
			key, isText := read.(string)
			small := folded(key)
			if err != nil || !isText || keys[small] ||
				key != small && (small == folded("type") || small == folded("plugins")) {
				return true
			}
			keys[small] = true
		}
		if ambiguousValue(d) {
			return true
		}
	}
	_, err = d.Token() // the end of it
	return err != nil
}

// folded returns one text for all that strings.EqualFold takes for the same.
func folded(key string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return unicode.ToLower(least)
	}, key)
}

// ConfigOf returns a CNI configuration that KindOfConfig takes for that kind. It stands for a real one, which may hold
// secrets.
func ConfigOf(kind AttachmentKind) string {
	switch kind {
	case KindOVN:
		return `{"type":"` + cniType + `"}`
	case KindMixed:
		return `{"type":"` + cniType + `","plugins":[{"type":"` + cniType + `"}]}`
	case KindForeign:
		return `{"type":"other"}`
	case KindUnknown:
	}
	return ""
}
