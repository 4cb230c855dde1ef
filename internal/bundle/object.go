package bundle

import (
	"regexp"
	"strings"
)

// ownDomains are those of annotations that are kept.
var ownDomains = []string{"kubernetes.io", "ovnguard.io"}

// lastApplied is kubectl's copy of a manifest.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// secretFlag finds an argument that says that the next one is a secret.
var secretFlag = regexp.MustCompile(`(?i)^-.*(?:password|passwd|passphrase|secret|token|credential)[^=]*$`)

// Object returns a copy of an object of Kubernetes without the values of environment variables, what others noted on
// it, and who wrote which field. Those that hold data, such as Secrets, are not for a bundle.
func Object(o map[string]any) map[string]any {
	out, _ := cleaned(o).(map[string]any)
	return out
}

// cleaned returns a copy of a value without what Object removes.
func cleaned(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, x := range v {
			switch key {
			case "managedFields":
				continue
			case "annotations":
				out[key] = annotations(x)
			case "env":
				out[key] = environment(x)
			case "args", "command":
				out[key] = arguments(x)
			default:
				out[key] = cleaned(x)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = cleaned(v[i])
		}
		return out
	}
	return value
}

// annotations returns them without the values of those that others noted.
func annotations(value any) any {
	all, ok := value.(map[string]any)
	if !ok {
		return cleaned(value)
	}
	out := make(map[string]any, len(all))
	for key, x := range all {
		domain, _, _ := strings.Cut(key, "/")
		own := false
		for _, d := range ownDomains {
			own = own || domain == d || strings.HasSuffix(domain, "."+d)
		}
		if out[key] = x; !own || key == lastApplied {
			out[key] = Removed
		}
	}
	return out
}

// environment returns variables without their values.
func environment(value any) any {
	list, ok := value.([]any)
	if !ok {
		return Removed
	}
	out := make([]any, len(list))
	for i := range list {
		v, _ := cleaned(list[i]).(map[string]any)
		if _, given := v["value"]; given {
			v["value"] = Removed
		}
		out[i] = v
	}
	return out
}

// arguments returns the words of a command line without those that follow the name of a secret.
func arguments(value any) any {
	list, ok := value.([]any)
	if !ok {
		return cleaned(value)
	}
	out := make([]any, len(list))
	secret := false
	for i, x := range list {
		word, _ := x.(string)
		if out[i] = x; secret && !strings.HasPrefix(word, "-") {
			out[i] = Removed
		}
		secret = secretFlag.MatchString(word)
	}
	return out
}
