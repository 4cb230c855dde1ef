#!/bin/bash
# Packs the image, the plugin of kubectl for all platforms, the chart, the resource definitions and the manifests into one archive
# for clusters without internet. The first build for all six platforms takes many minutes. ONLY, DIST and RELEASE are those of
# image.sh: with ONLY=linux/amd64 the bundle is for such machines alone.
set -euo pipefail
cd "$(dirname "$0")/.."

./scripts/image.sh
dist=$(realpath -m "${DIST:-dist}")
export RELEASE=${RELEASE:-1}
about=$(./scripts/version.sh)
read -r version commit date <<<"$about"
read -r -a platforms <<<"${ONLY:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}"
binaries=()
for platform in "${platforms[@]}"; do
  export GOOS=${platform%/*} GOARCH=${platform#*/}
  file=$dist/bin/ovnguard-$GOOS-$GOARCH
  if [[ $GOOS == linux ]]; then
    CGO_ENABLED=0 ./scripts/build.sh ovnguard-load "$dist/bin/ovnguard-load-$GOOS-$GOARCH"
  else
    CGO_ENABLED=0 ./scripts/build.sh ovnguard "$file"
  fi
  binaries+=("$platform=$file")
done
unset GOOS GOARCH
license=$PWD/LICENSE
cd tools/release
release=(go run ./cmd/release --version "$version" --commit "$commit" --date "$date" --out "$dist")
"${release[@]}" plugin --license "$license" "${binaries[@]}"
go tool validate-krew-manifest -manifest "$dist/ovnguard.yaml" -skip-install
"${release[@]}" bundle --platforms "$(IFS=,; echo "${platforms[*]}")" ../..
