#!/bin/bash
# Loads what this bundle holds, on machines without internet: run it with --help.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: load.sh --containerd | --push HOST/REPOSITORY | --plugin DIRECTORY | --check

  --containerd             import the image into the containerd of this node, for Kubernetes; needs root and ctr. Do it on
                           every node. Where the socket is elsewhere, set CONTAINERD_ADDRESS; where ctr is called
                           otherwise, set CTR, such as CTR="k3s ctr".
  --push HOST/REPOSITORY   push the image for all platforms to a registry, with the credentials of docker login; needs Linux.
                           HOST/REPOSITORY:TAG gives it another tag. Without TLS only registries on loopback and at private
                           addresses are reached.
  --plugin DIRECTORY       put the plugin kubectl-ovnguard for this machine into a directory, which must be in PATH.
  --check                  only compare all files with their checksums; the others do it first.
TEXT
}

fail() {
  echo "load.sh: $1" >&2
  exit "${2:-1}"
}

here=$(cd "$(dirname "$0")" && pwd)
action=${1:-}
argument=${2:-}
case $action in
--help | -h)
  usage
  exit 0
  ;;
--containerd | --check)
  (($# == 1)) || fail "$action: takes no argument; see load.sh --help" 2
  ;;
--push | --plugin)
  (($# == 2)) && [[ -n $argument && $argument != -* ]] || fail "$action: takes one argument; see load.sh --help" 2
  ;;
*)
  usage >&2
  exit 2
  ;;
esac

# check compares every file with its checksum.
check() {
  local output
  [[ -f $here/SHA256SUMS ]] || fail "$here/SHA256SUMS is missing: unpack the bundle again"
  if command -v sha256sum >/dev/null; then
    output=$(cd "$here" && LC_ALL=C sha256sum --check --quiet SHA256SUMS 2>&1) ||
      fail "damaged, copy the bundle again: ${output//$'\n'/; }"
  elif command -v shasum >/dev/null; then
    output=$(cd "$here" && LC_ALL=C shasum -a 256 --check SHA256SUMS 2>&1) ||
      fail "damaged, copy the bundle again: ${output//$'\n'/; }"
  else
    fail "no sha256sum and no shasum: the checksums cannot be compared; install coreutils"
  fi
}

os=$(uname -s | tr '[:upper:]' '[:lower:]')
case $(uname -m) in
x86_64 | amd64) arch=amd64 ;;
aarch64 | arm64) arch=arm64 ;;
*) arch=$(uname -m) ;;
esac

# helper prints the program of this bundle that reads images.
helper() {
  local program=$here/bin/ovnguard-load-$os-$arch
  [[ -f $program ]] || fail "$action: the bundle has no program for $os/$arch; use a machine with Linux, amd64 or arm64"
  echo "$program"
}

check
image=$(echo "$here"/images/*.tar)
case $action in
--check)
  echo "all files are as their checksums say"
  ;;
--containerd)
  read -r -a ctr <<<"${CTR:-ctr}"
  command -v "${ctr[0]}" >/dev/null ||
    fail "--containerd: there is no ${ctr[0]} in PATH; install ctr, which containerd comes with, or set CTR"
  "${ctr[@]}" --namespace k8s.io images import "$image" ||
    fail "--containerd: the import failed; is containerd running, are you root, and is CONTAINERD_ADDRESS its socket?"
  ;;
--push)
  program=$(helper)
  "$program" push "$image" "$argument"
  ;;
--plugin)
  [[ -d $argument ]] || fail "--plugin: $argument is no directory: make it first"
  if [[ $os == linux ]]; then
    program=$(helper)
    "$program" extract "$image" "$os/$arch" "$argument/kubectl-ovnguard"
  else
    packed=$(echo "$here"/plugin/kubectl-ovnguard-*-"$os-$arch".tar.gz)
    [[ -f $packed ]] || fail "--plugin: the bundle has none for $os/$arch; on Windows unpack the zip in plugin/"
    tar -xzf "$packed" -C "$argument" kubectl-ovnguard
  fi
  echo "put $argument/kubectl-ovnguard; try: kubectl ovnguard version --client"
  ;;
esac
