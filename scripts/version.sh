#!/bin/bash
# Prints the version, the commit and the commit's date in UTC, of a clone; fails elsewhere. The version is that of the tag,
# or comes after it (v0.1.0-3-g0123456789ab); without any tag it is v0.0.0-g0123456789ab.
set -euo pipefail
cd "$(dirname "$0")/.."

commit=$(git rev-parse HEAD 2>/dev/null) || { echo "version: this is no clone of the repository" >&2; exit 1; }
# The same in every clone: git's own abbreviation depends on how many objects a clone has.
version=$(git describe --tags --match 'v[0-9]*' --abbrev=12 --dirty 2>/dev/null) || {
  version=v0.0.0-g$(git rev-parse HEAD | cut -c -12)
  git diff --quiet HEAD -- || version+=-dirty
}
date=$(TZ=UTC0 git show --no-patch --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ HEAD)
echo "$version $commit $date"
