#!/bin/bash
# Builds a program of this repository, a directory in cmd or lab/cmd, and shows how far it is: the lab's first build compiles Kubernetes and takes minutes.
set -euo pipefail

program=${1:?usage: build.sh PROGRAM OUTPUT}
output=$(realpath -m "${2:?usage: build.sh PROGRAM OUTPUT}")
cd "$(dirname "$0")/.."

case $program in
ovnguard)
  version=$(git describe --tags --always --dirty 2>/dev/null || echo unknown)
  ldflags="-X github.com/ovnguard/ovnguard/internal/cli.version=$version"
  ;;
ovnguard-lab | ovnguard-lab-node)
  cd lab
  # Without it the API server says that it is v0.0.0-master.
  version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
  minor=${version#v1.}
  pkg=k8s.io/component-base/version
  ldflags="-X $pkg.gitVersion=$version -X $pkg.gitMajor=1 -X $pkg.gitMinor=${minor%%.*}"
  ;;
ovnguard-lab-pod)
  cd lab
  # It runs in images with nothing else in them.
  export CGO_ENABLED=0
  ldflags="-s -w"
  ;;
*)
  echo "build: there is no program $program" >&2
  exit 2
  ;;
esac

total=$(go list -deps "./cmd/$program" | wc -l)
go build -v -ldflags "$ldflags" -o "$output" "./cmd/$program" 2>&1 | {
  compiled=0
  while IFS= read -r line; do
    # Anything but the name of a package that was compiled is a message.
    if [[ $line =~ ^[a-zA-Z0-9_./~-]+$ ]]; then
      compiled=$((compiled + 1))
      if ((compiled % 100 == 0)); then
        echo "build: $program: $compiled of at most $total packages compiled" >&2
      fi
    else
      echo "$line" >&2
    fi
  done
}
