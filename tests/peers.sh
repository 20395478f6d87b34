#!/usr/bin/env bash
# Fetches the pinned tools and peers from their package registries into a cache folder outside the checkout, once,
# and prints the folder that holds each, a line a name. Usage: tests/peers.sh NAME…
set -euo pipefail
cache=${PINTLE_CACHE:-$HOME/.cache/pintle}
deny=0.20.2 machete=0.9.2

# A program from the Go module proxy (Go 1.26): name, version, package. Built beside its place and moved, so that a killed build leaves nothing.
go_program() {
  local dir=$cache/peers/$1-$2
  if [ ! -e "$dir/done" ]; then
    local tmp=$dir.$$
    mkdir -p "$cache/peers"
    GOFLAGS='' GOBIN=$tmp go install "$3@v$2" >&2
    mkdir -p "$dir"
    mv -f "$tmp"/* "$dir/"
    rmdir "$tmp"
    touch "$dir/done"
  fi
  echo "$dir"
}

for name in "$@"; do
  case "$name" in
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
  helm) go_program helm 4.3.1 helm.sh/helm/v4/cmd/helm ;;
  helm3) go_program helm 3.22.0 helm.sh/helm/v3/cmd/helm ;;
  kustomize) go_program kustomize 5.8.1 sigs.k8s.io/kustomize/kustomize/v5 ;;
  sops) go_program sops 3.13.3 github.com/getsops/sops/v3/cmd/sops ;;
  kwok) go_program kwok 0.8.0 sigs.k8s.io/kwok/cmd/kwok ;;
  *)
    echo "usage: tests/peers.sh tools|helm|helm3|kustomize|sops|kwok …" >&2
    exit 2
    ;;
  esac
done
