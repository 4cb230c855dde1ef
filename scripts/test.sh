#!/bin/bash
# Runs every test of all modules, the ones with real daemons included, and ends with Go's summary of all.
set -uo pipefail
cd "$(dirname "$0")/.."

summary=$(mktemp)
trap 'rm -f "$summary"' EXIT
# What runs in the background does not hear of Ctrl-C.
trap 'trap "" TERM; kill -TERM 0; exit 130' INT
failed=0

# run MODULE PACKAGES... tests packages one after the other.
run() {
  local dir=$1
  shift
  echo "== $dir: go test ${arguments[*]}" >&2
  (cd "$dir" && go test -p 1 -timeout 45m -tags integration "${arguments[@]}" "$@") 2>&1 | tee -a "$summary"
}

arguments=("$@")
e2e=github.com/ovnguard/ovnguard/lab/test/e2e
mapfile -t parts < <(cd lab && go list -tags integration ./... | grep -vx "$e2e")
((${#parts[@]})) || { echo "no packages in lab" >&2; exit 1; }

# What waits most of its time shares the machine; the end-to-end tests, whose daemons and frames are many, have it alone.
run . ./... &
run tools/release ./... || failed=1
run charts ./... || failed=1
run lab "${parts[@]}" || failed=1
wait $! || failed=1
run lab "$e2e" || failed=1
run lab -tags install ./test/install || failed=1

echo
echo "== summary"
grep -E '^(ok|FAIL|---|panic:)|no test files' "$summary" | grep -v 'no test files' || true
if ((failed)); then
  echo "FAIL"
  exit 1
fi
echo "PASS: $(grep -c '^ok' "$summary") packages"
