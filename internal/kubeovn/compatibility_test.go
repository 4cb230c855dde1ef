package kubeovn

import "testing"

// The answers are the recorded ones of sscanf("%2d.%2d") of glibc, followed by Kube-OVN's comparison.
func TestNotChecking(t *testing.T) {
	for value, want := range map[string]bool{
		"22.03": true, "21.06": true, "22.3": true, "20.12": true, "2.9": true, "0.0": true, "9.99": true,
		"22.00": true,
		"22.04": false, "22.12": false, "24.03": false, "25.03": false, "99.00": false,
		"_22.03": false, "none": false, "": false, "22": false, "22.": false, "22.x": false, "x22.03": false,
		"v22.03":  false,
		`"22.03"`: false, "22,03": false, "220.3": false, "1.": false, "1.-": false, "- 1.2": false, "22 .03": false,
		"22.031": true, "22.03.1": true, "22.03-1": true, "22.1x": true, "22.10": false,
		" 22.03": true, "22. 03": true, "\t21.06\n": true,
		"+2.3": true, "-2.3": true, "22.-1": true, "22.+3": true, "22.+4": false, "+22.03": false,
	} {
		if got := NotChecking(value); got != want {
			t.Errorf("%q: %t, want %t", value, got, want)
		}
		if NotChecking(CompatibilityDone(value)) {
			t.Errorf("%q: still in effect when the hook is through", value)
		}
	}
}
