#!/usr/bin/env bash
# Fetches the pinned tools and peers from their package registries into a cache folder outside the checkout, once,
# and prints the folder that holds them. Usage: tests/peers.sh tools|helm
set -euo pipefail
cache=${PINTLE_CACHE:-$HOME/.cache/pintle}
deny=0.20.2 machete=0.9.2 helm=4.3.1

case "${1:-}" in
tools)
  # Static checks: cargo-deny and cargo-machete, from crates.io.
  dir=$cache/tools/deny-$deny-machete-$machete
  if [ ! -e "$dir/done" ]; then
    cargo install --quiet --locked --root "$dir" "cargo-deny@$deny" >&2
    cargo install --quiet --locked --root "$dir" "cargo-machete@$machete" >&2
    touch "$dir/done"
  fi
  echo "$dir/bin"
  ;;
helm)
  # The program we are compared with, from the Go module proxy (Go 1.26, about three minutes the first time).
  dir=$cache/peers/helm-$helm
  [ -x "$dir/helm" ] || GOBIN=$dir go install "helm.sh/helm/v4/cmd/helm@v$helm" >&2
  echo "$dir"
  ;;
*)
  echo "usage: tests/peers.sh tools|helm" >&2
  exit 2
  ;;
esac
