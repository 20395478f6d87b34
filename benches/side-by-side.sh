#!/usr/bin/env bash
# pintle and the real Helm side by side, in one run: medians, ratios, peak memory, and the floor below both.
#
#   benches/side-by-side.sh [DIR]      DIR: packaged charts (*.tgz) to measure beside the made ones, by default ../shared/corpus/charts
#
# Needs python3 beside the toolchains. Helm is fetched by tests/peers.sh the first time.
set -euo pipefail
cd "$(dirname "$0")/.."
helm=$(tests/peers.sh helm)/helm
cargo build --release --locked --quiet --bin pintle --example floor
target=$(cargo metadata --format-version 1 --no-deps --locked | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')
python3 benches/side-by-side.py --helm "$helm" --pintle "$target/release/pintle" --floor "$target/release/examples/floor" --charts "${1:-../shared/corpus/charts}"
cargo bench --locked --quiet --bench engine
