package cgroup

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const mountinfo = `24 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory,clone_children
33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/lib/agent,name=systemd
34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
35 30 0:28 /docker /somewhere/memory rw - cgroup cgroup rw,memory
`

func TestHierarchiesOfVersion1(t *testing.T) {
	got, err := parse(strings.NewReader(mountinfo))
	if err != nil {
		t.Fatal(err)
	}
	want := []Hierarchy{
		{Dir: "/sys/fs/cgroup/cpu,cpuacct", Options: "cpu,cpuacct"},
		{Dir: "/sys/fs/cgroup/memory", Options: "memory"},
		{Dir: "/sys/fs/cgroup/systemd", Options: "none,name=systemd"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	err = check(got)
	if err == nil || !strings.Contains(err.Error(), "cpuset, devices, freezer, pids") {
		t.Errorf("what is missing is not named: %v", err)
	}
	got = append(got, Hierarchy{Options: "cpuset"}, Hierarchy{Options: "devices,freezer"}, Hierarchy{Options: "pids"})
	if err := check(got); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
}
