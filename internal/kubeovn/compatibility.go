package kubeovn

// VersionCompatibility is the key of NB_Global.options by which Kube-OVN has its own ovn-northd write logical flows
// that an older ovn-controller understands, while OVN is upgraded. dist/images/start-db.sh sets it from the release
// that is upgraded from; dist/images/upgrade-ovs.sh, the chart's post-upgrade hook, puts an underscore before the value
// when every node has the new ovn-controller.
const VersionCompatibility = "version_compatibility"

// CompatibilityDone returns the value that Kube-OVN's post-upgrade hook replaces the value of VersionCompatibility
// with. It has no effect, and keeps start-db.sh, which compares with it, from setting the old value again.
func CompatibilityDone(value string) string { return "_" + value }

// NotChecking reports whether Kube-OVN's ovn-northd leaves port security out while VersionCompatibility has the value:
// the logical flows of a switch then say "next;" where check_in_port_sec() and check_out_port_sec() would stand,
// because ovn-controller knows these since 22.06 alone. It reads the value as that patch does, with sscanf("%2d.%2d"):
// each number has two characters at most, a sign among them, and may follow blanks; what is behind does not matter. Up
// to 22.03 is too old.
//
// The patch is in the images of 1.12 and later; kubeovn/kube-ovn#7358 took it out on 2026-09-02, and the option then
// means nothing.
func NotChecking(value string) bool {
	major, rest, ok := scanTwo(value)
	if !ok || rest == "" || rest[0] != '.' {
		return false
	}
	minor, _, ok := scanTwo(rest[1:])
	return ok && (major < 22 || major == 22 && minor <= 3)
}

// scanTwo reads a number as sscanf reads "%2d", and returns what follows it.
func scanTwo(text string) (number int, rest string, ok bool) {
	for text != "" && isBlank(text[0]) {
		text = text[1:]
	}
	sign, width, at := 1, 2, 0
	if text != "" && (text[0] == '+' || text[0] == '-') {
		if text[0] == '-' {
			sign = -1
		}
		at++
	}
	first := at
	for at < len(text) && at < width && text[at] >= '0' && text[at] <= '9' {
		number = number*10 + int(text[at]-'0')
		at++
	}
	return sign * number, text[at:], at > first
}

// isBlank reports whether isspace of C does, in the locale of a daemon.
func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
