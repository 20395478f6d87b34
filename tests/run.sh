#!/usr/bin/env bash
# All tests. With the large vector sets at hand (PINTLE_VECTORS, by default ../shared beside the checkout) they are run too.
set -euo pipefail
cd "$(dirname "$0")/.."

tests/ready.sh
# With every feature, and with the same everywhere: nothing is compiled twice.
cargo test --release --locked --features otel
cargo run --release --locked --features otel --quiet --example conformance -- tests/fixtures/vectors/*.jsonl

vectors=${PINTLE_VECTORS:-../shared}
if [ -d "$vectors/conformance" ]; then
  cargo run --release --locked --features otel --quiet --example conformance -- "$vectors"/conformance/*.jsonl
  cargo run --release --locked --features otel --quiet --example vectors -- "$vectors"/vectors/*.jsonl "$vectors"/vectors/sops/{decrypt,edit,tamper}.jsonl
  cargo run --release --locked --features otel --quiet --example corpus -- "$vectors/corpus"
elif [ -n "${PINTLE_REQUIRE_VECTORS:-}" ]; then
  echo "vector sets not found in $vectors" >&2
  exit 1
else
  echo "vector sets not found in $vectors: only the tests of this repository were run"
fi
