#!/bin/bash
# Builds a program of this repository and shows how far it is: the lab's first build compiles Kubernetes and takes minutes.
# With RELEASE=1, a program is built as it is published: static, for GOOS and GOARCH, and the same bytes in every clone.
set -euo pipefail

program=${1:?usage: build.sh PROGRAM OUTPUT}
output=$(realpath -m "${2:?usage: build.sh PROGRAM OUTPUT}")
cd "$(dirname "$0")/.."

flags=()
case $program in
ovnguard)
  cli=github.com/ovnguard/ovnguard/internal/cli
  # Outside a clone nothing is known, and the program says so.
  IFS=' ' read -r version commit date < <(./scripts/version.sh) || true
  ldflags="-X $cli.version=${version:-unknown} -X $cli.commit=${commit:-} -X $cli.date=${date:-}"
  ;;
ovnguard-load)
  cd tools/release
  ldflags=
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

if [[ ${RELEASE:-} == 1 ]]; then
  # What the environment or go env -w has set must not change what is published.
  export CGO_ENABLED=0 GOFLAGS=-trimpath GOEXPERIMENT='' GOAMD64=v1 GOARM64=v8.0 GOFIPS140=off GOWORK=off
  flags=(-trimpath -buildvcs=false)
  ldflags="-s -w -buildid= $ldflags"
fi

total=$(go list -deps "./cmd/$program" | wc -l)
go build -v "${flags[@]}" -ldflags "$ldflags" -o "$output" "./cmd/$program" 2>&1 | {
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
