package report

import "github.com/ovnguard/ovnguard/internal/audit"

// podName returns the pod, or the workload that makes pods.
func podName(f audit.Finding) string {
	switch {
	case f.Pod != "":
		return f.Namespace + "/" + f.Pod
	case f.Workload.Name != "":
		return f.Workload.Kind + " " + f.Namespace + "/" + f.Workload.Name
	}
	return ""
}

// about returns the subject of a finding, as short as possible.
func about(f audit.Finding) string {
	switch pod := podName(f); {
	case pod != "" && f.Provider != "":
		return pod + " " + string(f.Provider)
	case pod != "":
		return pod
	case f.Port != "":
		return f.Port
	case f.Namespace != "":
		return "namespace " + f.Namespace
	}
	return "cluster"
}
