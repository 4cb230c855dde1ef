#!/bin/bash
# Shows that the image is the same from a second clone in another folder, and that the programs for amd64 and arm64 give the same
# audit of a recorded cluster; the one for arm64 runs under qemu. COLD=1 compiles all packages again for the second clone. Takes
# minutes, and needs what is tested to be committed.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "test-image: $1" >&2
  exit 1
}

git diff --quiet HEAD -- || fail "files differ from the commit, and a clone would not have them: commit first"
emulator=$(command -v qemu-aarch64-static || command -v qemu-aarch64) ||
  fail "there is no qemu-aarch64-static: apt-get install qemu-user-static"
read -r version _ < <(./scripts/version.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

./scripts/image.sh
git clone --quiet . "$work/clone"
(
  if [[ ${COLD:-} == 1 ]]; then
    export GOCACHE=$work/cache
  fi
  "$work/clone/scripts/image.sh"
)
diff "dist/ovnguard-$version-image.sha256" "$work/clone/dist/ovnguard-$version-image.sha256" ||
  fail "a second clone gives other files"
(cd "$work/clone/dist" && sha256sum --check --quiet "ovnguard-$version-image.sha256")
echo "test-image: a second clone gives the same image and the same lists"

gunzip --stdout testdata/recorded/cluster.json.gz >"$work/cluster.json"
gunzip --stdout testdata/recorded/nb.db.gz >"$work/nb.db"
touch -d 2026-11-22T23:42:52Z "$work/cluster.json" "$work/nb.db"

# audit COMMAND... audits the recorded cluster and prints the findings, without what changes from one moment to the next.
audit() {
  local code=0
  "$@" audit --from "$work/cluster.json" --nb "$work/nb.db" -o json >"$work/answer" 2>"$work/errors" || code=$?
  # 1 says that there are findings.
  ((code == 1)) || fail "$* ended with $code: $(cat "$work/errors")"
  sed -E 's/, [^ ]+ ago//; s/"(time|now|taken)": "[^"]+"/"\1": ""/' "$work/answer"
}

cd tools/release
for arch in amd64 arm64; do
  go run ./cmd/ovnguard-load extract "../../dist/ovnguard-$version-image.tar" "linux/$arch" "$work/ovnguard-$arch"
done
audit "$work/ovnguard-amd64" >"$work/amd64"
audit "$emulator" "$work/ovnguard-arm64" >"$work/arm64"
diff "$work/amd64" "$work/arm64" || fail "amd64 and arm64 audit differently"
findings=$(grep -m 1 -oE '"findings": [1-9][0-9]*' "$work/amd64" | grep -oE "[0-9]+") || fail "the audit has no findings"
echo "test-image: amd64 and arm64 give the same audit, $findings findings"
