#!/usr/bin/env bash
# Sources beside the real Helm, in one run on loopback: one version out of a large index.yaml, `dependency build` with 12 dependencies, and a
# render of a chart in a registry that the cache knows, beside the local archive.
# Prints medians, ratios and peak memory of whole processes.
#
#   benches/source.sh [RUNS]      by default 5; PINTLE=program measures that one instead of building
#
# Needs python3 beside the toolchains. Helm is fetched by tests/peers.sh, nginx by tests/servers.sh, the first time.
set -euo pipefail
cd "$(dirname "$0")/.."
helm=$(tests/peers.sh helm)/helm
tests/servers.sh >/dev/null
if [ -z "${PINTLE:-}" ]; then
  cargo build --release --locked --quiet --bin pintle
  PINTLE=$(cargo metadata --format-version 1 --no-deps --locked | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')/release/pintle
fi
exec python3 benches/source.py --helm "$helm" --pintle "$PINTLE" --runs "${1:-5}"
