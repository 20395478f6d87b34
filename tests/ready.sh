#!/usr/bin/env bash
# The servers and programs that tests run beside.
set -euo pipefail
cd "$(dirname "$0")/.."

tests/servers.sh >/dev/null
# What is built is built before the tests begin: they have clocks.
tests/peers.sh helm helm3 kustomize sops cosign fake-gcs-server kwok cluster kubectl \
  helm-controller source-controller helm-controller-program source-controller-program >/dev/null
