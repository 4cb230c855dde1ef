#!/bin/bash
# Installs what the distribution must give, only what is missing. Says clearly what is missing where it cannot install.
# "deps.sh kubelet" also installs what `ovnguard-lab up --kubelet` runs containers with.
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
case ${1:-} in
"") ;;
kubelet) package+=([containerd]=containerd [ctr]=containerd [runc]=runc [nft]=nftables) ;;
*)
  echo "deps: there is no group $1 of packages: give none, or kubelet" >&2
  exit 2
  ;;
esac
export PATH=$PATH:/usr/sbin:/sbin
cd "$(dirname "$0")/.."

fail() {
  echo "deps: $*" >&2
  exit 1
}

# at_least WANTED HAVE tells whether a version is not older than another.
at_least() { [[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

wanted=$(sed -n 's/^go //p' go.mod)
if ! command -v go >/dev/null; then
  fail "Go is missing: install Go $wanted or later (https://go.dev/doc/install)"
fi
# A go command of 1.21 or later fetches the release that go.mod asks for, and names that one here.
if ! version=$(go env GOVERSION 2>&1); then
  fail "Go $wanted or later is needed, and the one at $(command -v go) cannot get it: $version"
fi
version=${version#go}
if ! at_least "$wanted" "${version%% *}"; then
  fail "Go $wanted or later is needed, and $(command -v go) is $version: install a newer one (https://go.dev/doc/install)"
fi

# Debian's packages start their daemons and have them start at every boot. The lab and the tests run daemons of their own, in
# namespaces of their own; those of the machine would only be in the way, and an OVN that nobody asked for is a risk.
policy=/usr/sbin/policy-rc.d
install_quietly() {
  local ours=
  if [[ ! -e $policy ]]; then
    ours=yes
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\n# Made by ovnguard (scripts/deps.sh) for as long as it installs packages.\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  if [[ -n $ours ]]; then
    rm -f "$policy"
    trap - EXIT
  fi
  if [[ -d /run/systemd/system ]]; then
    local unit
    for unit in "$@"; do
      case $unit in
      openvswitch-switch | ovn-central | ovn-host | containerd | nftables) systemctl disable --quiet "$unit.service" || fail "cannot keep $unit from starting at boot: systemctl disable $unit" ;;
      esac
    done
    echo "deps: the daemons of these packages were not started, and do not start at boot" >&2
  fi
}

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
  install_quietly "${missing[@]}"
fi

if [[ $(id -u) -ne 0 ]]; then
  fail "the lab makes network namespaces and must run as root; 'make build' and 'make test-unit' do not"
fi
# Open vSwitch's userspace datapath makes its bridges' own ports with it.
if ! (exec 3<>/dev/net/tun) 2>/dev/null; then
  fail "/dev/net/tun cannot be opened: load the kernel module (modprobe tun), or pass the device into the container (docker run --device /dev/net/tun --cap-add NET_ADMIN --cap-add SYS_ADMIN)"
fi
