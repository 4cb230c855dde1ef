#!/bin/bash
# Builds the container image for amd64 and arm64 into dist/, and with --push HOST/REPOSITORY[:TAG] pushes it to a registry. The
# first build for another processor compiles all packages again and takes minutes.
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

about=$(./scripts/version.sh)
read -r version commit date <<<"$about"
if [[ $version == *-dirty ]]; then
  echo "image: files differ from the commit: nobody can build $version again; commit first for what is published" >&2
fi
mkdir -p dist/bin
binaries=()
for arch in amd64 arm64; do
  RELEASE=1 GOOS=linux GOARCH=$arch ./scripts/build.sh ovnguard "dist/bin/ovnguard-linux-$arch"
  binaries+=("linux/$arch=$PWD/dist/bin/ovnguard-linux-$arch")
done
cd tools/release
go run ./cmd/release image --version "$version" --commit "$commit" --date "$date" --out ../../dist "${binaries[@]}"
if [[ -n $push ]]; then
  go run ./cmd/ovnguard-load push "../../dist/ovnguard-$version-image.tar" "$push"
fi
