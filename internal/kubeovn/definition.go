package kubeovn

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Definition is a place in an attachment's config where Kube-OVN's CNI, or its address management, is called.
type Definition struct {
	// Path leads to it, such as ".plugins[0]".
	Path string
	// IPAM means that it is address management alone.
	IPAM bool
	// Providers are what it names as its provider, in every spelling of the key: who reads it may take any of them.
	Providers []string
}

// Definitions finds all places in the config of a NetworkAttachmentDefinition where Kube-OVN is called, however deep:
// plugins call others. Keys count in whatever letters, as Go's JSON reader, and with it the CNI, takes them.
func Definitions(config string) ([]Definition, error) {
	var root any
	if err := json.Unmarshal([]byte(config), &root); err != nil {
		return nil, fmt.Errorf("spec.config is not a CNI configuration: %w", err)
	}
	var out []Definition
	walk(root, "", false, &out)
	return out, nil
}

func walk(node any, path string, ipam bool, out *[]Definition) {
	switch n := node.(type) {
	case map[string]any:
		d, found := Definition{Path: path, IPAM: ipam}, false
		for key, value := range n {
			text, isText := value.(string)
			switch {
			case strings.EqualFold(key, "type") && isText && text == cniType:
				found = true
			case strings.EqualFold(key, "provider") && isText:
				d.Providers = append(d.Providers, text)
			}
			walk(value, path+"."+key, strings.EqualFold(key, "ipam"), out)
		}
		if found {
			*out = append(*out, d)
		}
	case []any:
		for i, value := range n {
			walk(value, fmt.Sprintf("%s[%d]", path, i), ipam, out)
		}
	}
}
