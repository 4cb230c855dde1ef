package charts

import (
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// another is another value for each value of values.yaml, as in helm --set, with what else it takes to matter.
var another = map[string][]string{
	"global.registry.address":            {"global.registry.address=registry.example.org/mirror"},
	"global.imagePullSecrets":            {"global.imagePullSecrets={mirror}"},
	"image.repository":                   {"image.repository=guard"},
	"image.tag":                          {"image.tag=v9"},
	"image.digest":                       {"image.digest=sha256:" + strings.Repeat("ab", 32)},
	"image.pullPolicy":                   {"image.pullPolicy=Always"},
	"imagePullSecrets":                   {"imagePullSecrets={mine}"},
	"policy.create":                      {"policy.create=false"},
	"policy.name":                        {"policy.name=base"},
	"policy.priority":                    {"policy.priority=7"},
	"policy.mode":                        {"policy.mode=warn"},
	"policy.repair":                      {"policy.repair=repair"},
	"policy.extra":                       {"policy.extra.level=mac"},
	"admissionPolicies":                  {"admissionPolicies=false"},
	"kubeOVN.accounts":                   {"kubeOVN.accounts={system:serviceaccount:a:b}"},
	"kubeOVN.clusterRouter":              {"kubeOVN.clusterRouter=router"},
	"kubeOVN.nodeSwitch":                 {"kubeOVN.nodeSwitch=nodes"},
	"kubeOVN.release":                    {"kubeOVN.release=v1.14.28"},
	"kubeOVN.ovnVersion":                 {"kubeOVN.ovnVersion=25.03.3"},
	"northbound.endpoints":               {"northbound.endpoints=ssl:10.0.0.1:6641"},
	"northbound.secret":                  {"northbound.secret=certificates"},
	"northbound.copy.enabled":            {"northbound.copy.enabled=false"},
	"northbound.copy.namespace":          {"northbound.copy.namespace=kube-ovn"},
	"northbound.copy.name":               {"northbound.copy.name=tls"},
	"southbound.endpoints":               {"southbound.endpoints=tcp:10.0.0.1:6642"},
	"repairLimits.rate":                  {"repairLimits.rate=7"},
	"repairLimits.percent":               {"repairLimits.percent=7"},
	"repairLimits.ports":                 {"repairLimits.ports=7"},
	"selfTest.interval":                  {"selfTest.interval=7s"},
	"clientCA.configMap":                 {"clientCA.configMap=authorities"},
	"clientCA.names":                     {"clientCA.configMap=authorities", "clientCA.names={apiserver}"},
	"replicas":                           {"replicas=3"},
	"resources.requests.cpu":             {"resources.requests.cpu=7m"},
	"resources.requests.memory":          {"resources.requests.memory=7Mi"},
	"resources.limits.memory":            {"resources.limits.memory=7Gi"},
	"priorityClassName":                  {"priorityClassName=mine"},
	"priorityClassQuota.create":          {"priorityClassQuota.create=true"},
	"nodeSelector":                       {"nodeSelector.role=infra"},
	"tolerations":                        {"tolerations[0].key=infra"},
	"affinity":                           {"affinity.nodeAffinity.x=y"},
	"topologySpreadConstraints":          {"topologySpreadConstraints[0].maxSkew=2"},
	"podDisruptionBudget.maxUnavailable": {"podDisruptionBudget.maxUnavailable=50%"},
	"podAnnotations":                     {"podAnnotations.a=b"},
	"podLabels":                          {"podLabels.a=b"},
	"extraArgs":                          {"extraArgs={--keep-vm-ip}"},
	"env":                                {"env[0].name=GOMEMLIMIT", "env[0].value=1GiB"},
	"logFormat":                          {"logFormat=text"},
	"namespace.podSecurity":              {"namespace.podSecurity=baseline"},
	"networkPolicy.enabled":              {"networkPolicy.enabled=false"},
	"networkPolicy.webhookFrom":          {"networkPolicy.webhookFrom[0].ipBlock.cidr=10.0.0.0/8"},
	"networkPolicy.metricsFrom": {
		"metrics.enabled=true",
		"networkPolicy.metricsFrom[0].ipBlock.cidr=10.0.0.0/8",
	},
	"networkPolicy.apiServerPorts":    {"networkPolicy.apiServerPorts={16443}"},
	"networkPolicy.databasePorts":     {"networkPolicy.databasePorts={16641}"},
	"networkPolicy.dnsPorts":          {"networkPolicy.dnsPorts={5353}"},
	"metrics.enabled":                 {"metrics.enabled=true"},
	"metrics.port":                    {"metrics.port=9000"},
	"metrics.serviceMonitor.enabled":  {"metrics.enabled=true", "metrics.serviceMonitor.enabled=true"},
	"metrics.serviceMonitor.interval": {monitored, "metrics.serviceMonitor.interval=7s"},
	"metrics.serviceMonitor.labels":   {monitored, "metrics.serviceMonitor.labels.release=prometheus"},
	"metrics.rules.enabled":           {"metrics.rules.enabled=true"},
	"metrics.rules.labels": {
		"metrics.rules.enabled=true",
		"metrics.rules.labels.release=prometheus",
	},
	"metrics.dashboard.enabled":                  {"metrics.dashboard.enabled=true"},
	"metrics.dashboard.labels.grafana_dashboard": {"metrics.dashboard.enabled=true", "metrics.dashboard.labels.x=y"},
	"crds.upgrade":                               {"crds.upgrade=false"},
	"uninstall.hook":                             {"uninstall.hook=false"},
	"uninstall.keepCRDs":                         {"uninstall.keepCRDs=false"},
	"uninstall.ports":                            {"uninstall.ports=narrow"},
	"uninstall.timeoutSeconds":                   {"uninstall.timeoutSeconds=77"},
	"plain":                                      {"plain=true"},
}

// monitored has a ServiceMonitor installed.
const monitored = "metrics.enabled=true,metrics.serviceMonitor.enabled=true"

// leaves returns the paths of all values.
func leaves(path string, value any) []string {
	fields, ok := value.(map[string]any)
	if !ok || len(fields) == 0 {
		return []string{path}
	}
	var out []string
	for name, v := range fields {
		out = append(out, leaves(strings.TrimPrefix(path+"."+name, "."), v)...)
	}
	return out
}

// Every value changes something in what is rendered; a last one of several sets alone what is tried.
func TestEveryValueMatters(t *testing.T) {
	text, err := os.ReadFile("ovnguard/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.UnmarshalStrict(text, &values); err != nil {
		t.Fatal(err)
	}
	paths := leaves("", values)
	cluster := certificates(t, "kube-system/kube-ovn-tls", "kube-ovn/kube-ovn-tls", "kube-system/tls")
	for _, path := range paths {
		set, ok := another[path]
		if !ok {
			t.Errorf("%s: no other value is tried", path)
			continue
		}
		before := options{set: set[:len(set)-1], cluster: cluster}
		after := options{set: set, cluster: cluster}
		if rendered(t, before) == rendered(t, after) {
			t.Errorf("%s: %s changes nothing", path, set[len(set)-1])
		}
	}
	for path := range another {
		if !slices.Contains(paths, path) {
			t.Errorf("%s is not a value", path)
		}
	}
}
