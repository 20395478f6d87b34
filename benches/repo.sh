#!/usr/bin/env bash
# A deployment repository of three environments × 200 services: pintle and the shell way (kustomize build, helm template for each release)
# side by side, and what a diff of a one-line bump costs.
#
#   benches/repo.sh [--services N] [--rounds N]
#   benches/repo.sh --generate DIR      only writes the repository
#
# Needs git and python3 beside the toolchains. kustomize and helm are fetched by tests/peers.sh the first time. kustomize alone, at 200, 800 and
# 3,200 services: benches/kustomize.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ ${1-} == --generate ]]; then exec python3 benches/repo.py "$@"; fi
kustomize=$(tests/peers.sh kustomize)/kustomize
helm=$(tests/peers.sh helm)/helm
if [[ -z ${PINTLE-} ]]; then
  cargo build --release --locked --quiet --bin pintle
  target=$(cargo metadata --format-version 1 --no-deps --locked | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')
  PINTLE=$target/release/pintle
fi
python3 benches/repo.py --kustomize "$kustomize" --helm "$helm" --pintle "$PINTLE" "$@"
