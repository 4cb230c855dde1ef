#!/bin/bash
# Builds the container image for amd64 and arm64 into dist/, and with --push HOST/REPOSITORY[:TAG] pushes it to a registry. The
# first build for another processor compiles all packages again and takes minutes. ONLY=linux/amd64 builds it for one platform
# alone, DIST=DIRECTORY writes elsewhere, and RELEASE=0 compiles as other builds of this clone do, which is faster and gives other
# bytes: for tests.
set -euo pipefail
cd "$(dirname "$0")/.."

push=
case "${1:-} $#" in
" 0") ;;
"--push 2") push=$2 ;;
*)
  echo "usage: image.sh [--push HOST/REPOSITORY[:TAG]]" >&2
  exit 2
  ;;
esac
dist=$(realpath -m "${DIST:-dist}")
export RELEASE=${RELEASE:-1}

about=$(./scripts/version.sh)
read -r version commit date <<<"$about"
if [[ $version == *-dirty ]]; then
  echo "image: files differ from the commit: nobody can build $version again; commit first for what is published" >&2
fi
mkdir -p "$dist/bin"
binaries=()
for platform in ${ONLY:-linux/amd64 linux/arm64}; do
  file=$dist/bin/ovnguard-${platform/\//-}
  CGO_ENABLED=0 GOOS=${platform%/*} GOARCH=${platform#*/} ./scripts/build.sh ovnguard "$file"
  binaries+=("$platform=$file")
done
cd tools/release
go run ./cmd/release image --version "$version" --commit "$commit" --date "$date" --out "$dist" "${binaries[@]}"
if [[ -n $push ]]; then
  go run ./cmd/ovnguard-load push "$dist/ovnguard-$version-image.tar" "$push"
fi
