#!/usr/bin/env bash
# pintle and kustomize side by side on made-up environments of 200, 800 and 3,200 services: medians, ratios, growth.
#
#   benches/kustomize.sh [--beside N] [SERVICES ...]
#
# Needs python3 beside the toolchains. kustomize is fetched by tests/peers.sh the first time.
set -euo pipefail
cd "$(dirname "$0")/.."
kustomize=$(tests/peers.sh kustomize)/kustomize
cargo build --release --locked --quiet --bin pintle
target=$(cargo metadata --format-version 1 --no-deps --locked | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')
python3 benches/kustomize.py --kustomize "$kustomize" --pintle "$target/release/pintle kustomize build" "$@"
