#!/bin/bash
# Runs every test of both modules, the ones with real daemons included, and ends with Go's summary of both.
set -uo pipefail
cd "$(dirname "$0")/.."

summary=$(mktemp)
trap 'rm -f "$summary"' EXIT
failed=0

run() {
  local dir=$1
  shift
  echo "== $dir: go test $*" >&2
  # Daemons and frames share two cores with the tests: packages run one after the other.
  (cd "$dir" && go test -p 1 -timeout 45m -tags integration "$@" ./...) 2>&1 | tee -a "$summary" || failed=1
}

run . "$@"
run lab "$@"

echo
echo "== summary"
grep -E '^(ok|FAIL|---|panic:)|no test files' "$summary" | grep -v 'no test files' || true
if ((failed)); then
  echo "FAIL"
  exit 1
fi
echo "PASS: $(grep -c '^ok' "$summary") packages"
