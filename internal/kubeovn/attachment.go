package kubeovn

import (
	"encoding/json"
	"fmt"
)

// cniType is the CNI plugin type that plugs a NIC into OVN.
const cniType = "kube-ovn"

// KindOfConfig tells from the config of a NetworkAttachmentDefinition (spec.config, a CNI configuration or a list of
// them) what the attachment makes: a NIC on OVN where the configuration or one of its plugins has type kube-ovn. An
// empty config is KindUnknown, since the CNI then reads a file on the node. Text that is not JSON is an error.
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
	if conf.Type == cniType {
		return KindOVN, nil
	}
	for _, p := range conf.Plugins {
		if p.Type == cniType {
			return KindOVN, nil
		}
	}
	return KindForeign, nil
}
