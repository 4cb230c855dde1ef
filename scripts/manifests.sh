#!/bin/bash
# Renders the manifests for kubectl from the chart, and copies the resource definitions into it: deploy/ is what `kubectl apply`
# takes, and what the tests and the lab apply.
set -euo pipefail
cd "$(dirname "$0")/.."

render() {
  local output=$1 flags=()
  shift
  for template in "$@"; do
    flags+=(--show-only "templates/$template.yaml")
  done
  echo "# Rendered from charts/ovnguard by make manifests." >"deploy/$output.yaml"
  bin/helm template ovnguard charts/ovnguard --namespace ovnguard-system --set plain=true "${flags[@]}" |
    sed -e '1{/^---$/d}' -e '/^# Source: /d' | cat -s | sed -e 'N;/^\n---$/!P;D' | sed -e '${/^$/d}' >>"deploy/$output.yaml"
}

rm -rf charts/ovnguard/crds
mkdir charts/ovnguard/crds
cp deploy/crds/*.yaml charts/ovnguard/crds/
render rbac namespaces rbac
render roles roles
render controller controller networkpolicy
render policy policy
