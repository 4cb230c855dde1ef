#!/bin/bash
# Installs what the distribution must give, only what is missing. Says clearly what is missing where it cannot install.
set -euo pipefail

declare -A package=(
  [ovsdb-server]=openvswitch-switch
  [ovs-vswitchd]=openvswitch-switch
  [ovs-vsctl]=openvswitch-switch
  [ovn-northd]=ovn-central
  [ovn-nbctl]=ovn-central
  [ovn-controller]=ovn-host
  [ip]=iproute2
)
export PATH=$PATH:/usr/sbin:/sbin

fail() {
  echo "deps: $*" >&2
  exit 1
}

if ! command -v go >/dev/null; then
  fail "Go is missing: install Go 1.26 or later (https://go.dev/doc/install)"
fi

missing=()
for tool in "${!package[@]}"; do
  command -v "$tool" >/dev/null || missing+=("${package[$tool]}")
done
if ((${#missing[@]} > 0)); then
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  if [[ $(id -u) -ne 0 ]]; then
    fail "missing packages: ${missing[*]}. Install them as root, for example: sudo apt-get install ${missing[*]}"
  fi
  if ! command -v apt-get >/dev/null; then
    fail "missing packages: ${missing[*]}, and this machine has no apt-get. Install OVN 22.03 or later with its central and host parts, Open vSwitch and iproute2 as your distribution does."
  fi
  echo "deps: installing ${missing[*]}" >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if [[ $(id -u) -ne 0 ]]; then
  fail "the lab makes network namespaces and must run as root; 'make build' and 'make test-unit' do not"
fi
