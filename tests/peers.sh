#!/usr/bin/env bash
# Fetches the pinned tools and peers from their package registries into a cache folder outside the checkout, once,
# and prints the folder that holds each, a line a name. Usage: tests/peers.sh NAME…
set -euo pipefail
cache=${PINTLE_CACHE:-$HOME/.cache/pintle}
deny=0.20.2 machete=0.9.2

# One build of a thing at a time: test binaries may ask at once.
lock() {
  mkdir -p "$cache/peers"
  exec 9>"$cache/peers/.$1.lock"
  flock 9
}

# A program from the Go module proxy (Go 1.26): name, version, package. Built beside its place and moved, so that a killed build leaves nothing.
go_program() {
  local dir=$cache/peers/$1-$2
  if [ ! -e "$dir/done" ]; then
    lock "$1"
  fi
  if [ ! -e "$dir/done" ]; then
    local tmp=$dir.$$
    GOFLAGS='' GOBIN=$tmp go install "$3@v$2" >&2
    mkdir -p "$dir"
    mv -f "$tmp"/* "$dir/"
    rmdir "$tmp"
    touch "$dir/done"
  fi
  echo "$dir"
}

# The files of a module from the Go module proxy, where Go keeps them.
go_module() {
  GOFLAGS='' go mod download -json "$1" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p'
}

# The control plane that tests run on: etcd, kube-apiserver, kube-controller-manager and a binder of pods in one program, from tests/cluster.
cluster() {
  local src dir version flags v=k8s.io/component-base/version
  src=$(dirname "$0")/cluster
  version=$(sed -n 's/.*k8s.io\/kubernetes v\([0-9.]*\)$/\1/p' "$src/go.mod" | head -1)
  # A build from modules does not know its version: templates ask for it.
  flags=" -X $v.gitVersion=v$version -X $v.gitMajor=$(cut -d. -f1 <<<"$version") -X $v.gitMinor=$(cut -d. -f2 <<<"$version")"
  dir=$cache/peers/cluster-$version-$(cat "$src/main.go" "$src/go.mod" "$src/go.sum" - <<<"$flags" | sha256sum | cut -c1-8)
  if [ ! -e "$dir/done" ]; then
    lock cluster
  fi
  if [ ! -e "$dir/done" ]; then
    mkdir -p "$dir"
    (cd "$src" && GOFLAGS='' go build -trimpath -ldflags "-s -w$flags" -o "$dir/cluster.$$" .) >&2
    mv -f "$dir/cluster.$$" "$dir/cluster"
    for part in etcd kube-apiserver kube-controller-manager binder; do ln -sf cluster "$dir/$part"; done
    touch "$dir/done"
  fi
  echo "$dir"
}

# kubectl of the same version as the control plane, and of the same modules.
kubectl() {
  local src dir version tmp v=k8s.io/component-base/version
  src=$(dirname "$0")/cluster
  version=$(sed -n 's/.*k8s.io\/kubernetes v\([0-9.]*\)$/\1/p' "$src/go.mod" | head -1)
  dir=$cache/peers/kubectl-$version
  if [ ! -e "$dir/done" ]; then
    lock kubectl
  fi
  if [ ! -e "$dir/done" ]; then
    tmp=$dir.$$
    mkdir -p "$tmp"
    cp "$src/go.mod" "$src/go.sum" "$tmp/"
    (cd "$src" && GOFLAGS=-mod=mod go build -modfile "$tmp/go.mod" -trimpath -ldflags "-s -w -X $v.gitVersion=v$version" \
      -o "$tmp/kubectl" k8s.io/kubernetes/cmd/kubectl) >&2
    mkdir -p "$dir"
    mv -f "$tmp/kubectl" "$dir/"
    rm -rf "$tmp"
    touch "$dir/done"
  fi
  echo "$dir"
}

# A controller of Flux as a program. Its module replaces others of its repository, so it can't be built by `go install`. Flux's fork of Helm
# is not on the proxy: helm-controller is built with the Helm release that it requires.
flux_program() {
  local dir=$cache/peers/$1-$2 tmp
  if [ ! -e "$dir/done" ]; then
    lock "$1"
  fi
  if [ ! -e "$dir/done" ]; then
    tmp=$dir.$$
    cp -r "$(go_module "github.com/fluxcd/$1@v$2")" "$tmp"
    chmod -R u+w "$tmp"
    (cd "$tmp" && sed -i -e '/^replace .*=> \.\/api$/d' -e '/^replace helm\.sh\/helm/d' go.mod &&
      GOFLAGS=-mod=mod go build -trimpath -ldflags '-s -w' -o "$1" .) >&2
    mkdir -p "$dir"
    mv -f "$tmp/$1" "$dir/"
    rm -rf "$tmp"
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
  cosign) go_program cosign 3.1.3 github.com/sigstore/cosign/v3/cmd/cosign ;;
  fake-gcs-server) go_program fake-gcs-server 1.56.1 github.com/fsouza/fake-gcs-server ;;
  kwok) go_program kwok 0.8.0 sigs.k8s.io/kwok/cmd/kwok ;;
  cluster) cluster ;;
  kubectl) kubectl ;;
  # Flux's modules, for the CustomResourceDefinitions in them.
  helm-controller) go_module github.com/fluxcd/helm-controller@v1.6.3 ;;
  source-controller) go_module github.com/fluxcd/source-controller@v1.9.1 ;;
  helm-controller-program) flux_program helm-controller 1.6.3 ;;
  source-controller-program) flux_program source-controller 1.9.1 ;;
  *)
    echo "usage: tests/peers.sh tools|helm|helm3|kustomize|sops|cosign|fake-gcs-server|kwok|cluster|kubectl|helm-controller|source-controller|helm-controller-program|source-controller-program …" >&2
    exit 2
    ;;
  esac
done
