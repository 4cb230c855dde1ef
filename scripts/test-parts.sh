#!/bin/bash
# Builds below bin/ what the tests on real kubelets install: the program, the release that upgrades are tried from, with the chart
# that it came with, and a bundle for this machine alone. The last two need a clone: without one their tests say so and are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

# The release, and its commit where the tag was not fetched.
release=v0.1.0
commit=0bcd32231311af4579ea69d689632c1b26afed2e

CGO_ENABLED=0 ./scripts/build.sh ovnguard bin/image/ovnguard

rm -rf bin/bundle
if ./scripts/version.sh >/dev/null; then
  ONLY=linux/$(go env GOARCH) DIST=bin/bundle RELEASE=0 ./scripts/bundle.sh
fi

former=bin/released
is=$(git rev-parse --quiet --verify "$release^{commit}" || git rev-parse --quiet --verify "$commit^{commit}") || {
  echo "test-parts: this clone has neither $release nor its commit, so no upgrade is tried: git fetch --unshallow --tags" >&2
  rm -rf "$former"
  exit 0
}
if [[ $(git -C "$former" rev-parse HEAD 2>/dev/null) != "$is" || $(git -C "$former" rev-parse --show-prefix) ]]; then
  rm -rf "$former"
  git clone --quiet --no-checkout . "$former"
  git -C "$former" checkout --quiet --detach "$is"
fi
CGO_ENABLED=0 "$former/scripts/build.sh" ovnguard "$former/bin/image/ovnguard"
