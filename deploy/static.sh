#!/usr/bin/env bash
# Builds the static program of the image, by default for both architectures: deploy/static.sh [x86_64] [aarch64]
# Each is put where deploy/Containerfile takes it: target/image/amd64/pintle, target/image/arm64/pintle; and beside them Mozilla's authorities, without
# which an image from scratch trusts no server. Zig (from PyPI) is the C compiler and linker for musl, so that neither architecture needs a machine
# of its own. PROFILE=dev builds without optimization.
set -euo pipefail
cd "$(dirname "$0")/.."
zig=0.17.0 zigbuild=0.24.0 certifi=2026.10.19.post1
profile=${PROFILE:-release}

tools=${PINTLE_CACHE:-$HOME/.cache/pintle}/tools/static-$zig-$zigbuild-$certifi
if [ ! -e "$tools/done" ]; then
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check "ziglang==$zig" "cargo-zigbuild==$zigbuild" "certifi==$certifi"
  touch "$tools/done"
fi
export PATH="$tools/bin:$PATH"

mkdir -p target/image
cp "$("$tools/bin/python" -m certifi)" target/image/ca-certificates.crt
[ $# -gt 0 ] || set -- x86_64 aarch64
for machine in "$@"; do
  case "$machine" in
  x86_64) arch=amd64 ;;
  aarch64) arch=arm64 ;;
  *)
    echo "usage: deploy/static.sh [x86_64] [aarch64]" >&2
    exit 2
    ;;
  esac
  target=$machine-unknown-linux-musl
  if command -v rustup >/dev/null; then rustup --quiet target add "$target"; fi
  cargo zigbuild --locked --profile "$profile" --features otel --bin pintle --target "$target"
  mkdir -p "target/image/$arch"
  folder=$profile
  [ "$profile" != dev ] || folder=debug
  cp "${CARGO_TARGET_DIR:-target}/$target/$folder/pintle" "target/image/$arch/pintle"
done
