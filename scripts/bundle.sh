#!/bin/bash
# Packs the image, the plugin of kubectl for all platforms, the chart, the resource definitions and the manifests into one archive
# for clusters without internet. The first build for all six platforms takes many minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

./scripts/image.sh
about=$(./scripts/version.sh)
read -r version commit date <<<"$about"
binaries=()
for platform in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64; do
  file=dist/bin/ovnguard-${platform/\//-}
  if [[ $platform != linux/* ]]; then
    RELEASE=1 GOOS=${platform%/*} GOARCH=${platform#*/} ./scripts/build.sh ovnguard "$file"
  fi
  binaries+=("$platform=$PWD/$file")
done
for arch in amd64 arm64; do
  RELEASE=1 GOOS=linux GOARCH=$arch ./scripts/build.sh ovnguard-load "dist/bin/ovnguard-load-linux-$arch"
done
cd tools/release
release=(go run ./cmd/release --version "$version" --commit "$commit" --date "$date" --out ../../dist)
"${release[@]}" plugin --license ../../LICENSE "${binaries[@]}"
go tool validate-krew-manifest -manifest ../../dist/ovnguard.yaml -skip-install
"${release[@]}" bundle ../..
