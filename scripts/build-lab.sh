#!/bin/bash
# Builds the lab's binary, OUTPUT, and shows how far it is: the first build compiles Kubernetes and takes minutes.
set -euo pipefail

output=$(realpath -m "${1:?usage: build-lab.sh OUTPUT}")
cd "$(dirname "$0")/../lab"

# Without it the API server says that it is v0.0.0-master.
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.}
pkg=k8s.io/component-base/version
ldflags="-X $pkg.gitVersion=$version -X $pkg.gitMajor=1 -X $pkg.gitMinor=${minor%%.*}"

total=$(go list -deps ./cmd/ovnguard-lab | wc -l)
go build -v -ldflags "$ldflags" -o "$output" ./cmd/ovnguard-lab 2>&1 | {
  compiled=0
  status=0
  while IFS= read -r line; do
    # Anything but the name of a package that was compiled is a message.
    if [[ $line =~ ^[a-zA-Z0-9_./~-]+$ ]]; then
      compiled=$((compiled + 1))
      if ((compiled % 100 == 0)); then
        echo "build: ovnguard-lab: $compiled of at most $total packages compiled" >&2
      fi
    else
      echo "$line" >&2
    fi
  done
  exit $status
}
