package charts

import (
	"strings"
	"testing"
)

// Wrong values are refused with the path of the value and what is wanted.
func TestWrongValuesAreRefused(t *testing.T) {
	for set, says := range map[string][]string{
		"replics=3":                               {"additional properties 'replics' not allowed"},
		"policy.moode=warn":                       {"/policy", "'moode' not allowed"},
		"policy.mode=loose":                       {"/policy/mode", "'enforce', 'warn', 'audit'"},
		"policy.repair=true":                      {"/policy/repair", "'off', 'log', 'repair'"},
		"policy.priority=high":                    {"/policy/priority", "want integer"},
		"policy.extra.mode=warn":                  {"/policy/extra/mode"},
		"policy.name=Default_Policy":              {"/policy/name", "pattern"},
		"replicas=0":                              {"/replicas", "minimum"},
		"replicas=two":                            {"/replicas", "want integer"},
		"image.pullPolicy=Sometimes":              {"/image/pullPolicy", "'IfNotPresent', 'Always', 'Never'"},
		"image.digest=latest":                     {"/image/digest", "pattern"},
		"image.tag=a b":                           {"/image/tag", "pattern"},
		"global.registry.adress=x":                {"/global/registry", "'adress' not allowed"},
		"northbound.endpoints=10.0.0.1:6641":      {"/northbound/endpoints", "pattern"},
		"southbound.endpoints=http://x":           {"/southbound/endpoints", "pattern"},
		"kubeOVN.release=latest":                  {"/kubeOVN/release", "pattern"},
		"selfTest.interval=30":                    {"/selfTest/interval"},
		"extraArgs={keep-vm-ip}":                  {"/extraArgs/0", "pattern"},
		"metrics.port=9443":                       {"/metrics/port"},
		"metrics.port=80":                         {"/metrics/port", "minimum"},
		"networkPolicy.apiServerPorts={70000}":    {"/networkPolicy/apiServerPorts/0", "maximum"},
		"uninstall.ports=close":                   {"/uninstall/ports", "'leave', 'narrow'"},
		"uninstall.timeoutSeconds=5":              {"/uninstall/timeoutSeconds", "minimum"},
		"logFormat=xml":                           {"/logFormat", "'json', 'text'"},
		"repairLimits.percent=120":                {"/repairLimits/percent", "maximum"},
		"admissionPolicies=auto":                  {"/admissionPolicies", "want boolean"},
		"podDisruptionBudget.maxUnavailable=many": {"/podDisruptionBudget/maxUnavailable", "pattern"},
		"metrics.serviceMonitor.enabled=true":     {"metrics.enabled must be true"},
	} {
		_, err := render(options{set: []string{set}})
		if err == nil {
			t.Errorf("%s is taken", set)
			continue
		}
		for _, text := range says {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %q does not say %q", set, err, text)
			}
		}
	}
}

// Another namespace than the one that admission leaves out is refused.
func TestAnotherNamespaceIsRefused(t *testing.T) {
	if _, err := render(options{namespace: "default"}); err == nil ||
		!strings.Contains(err.Error(), "helm install ovnguard -n ovnguard-system --create-namespace") {
		t.Errorf("%v", err)
	}
}
