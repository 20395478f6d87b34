#!/usr/bin/env bash
# All tests, with everything that is logged at trace level (of the tests' own process, too) and what others can read of their namespaces in
# one file; then the canaries of all tests are looked for in it and in what the tests print. Takes gigabytes in TMPDIR, and longer than the
# tests. Arguments go to cargo test (`--test source`).
set -euo pipefail
cd "$(dirname "$0")/.."

tests/ready.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export PINTLE_LOG=trace PINTLE_LOG_FILE=$dir/log
# They have canaries, and are to be found.
echo "canary-secret $(printf canary-token | base64)" >"$dir/control"
cargo build --release --locked --features otel --quiet --example canaries
target=${CARGO_TARGET_DIR:-target}/release/examples/canaries
! "$target" "$dir/control" >/dev/null || { echo "canaries are not found where they are" >&2; exit 1; }
# A test that fails over its time is told, and what was logged is looked through all the same.
code=0
cargo test --release --locked --features otel --no-fail-fast "$@" 2>&1 | tee "$dir/printed" || code=$?
"$target" "$dir/log" "$dir/printed"
exit "$code"
