#!/usr/bin/env bash
# Installs the real servers that the source tests start on loopback, from Debian, PyPI and npm, where they are missing, and prints the folder
# of the bucket servers' programs. Quick when everything is there. Usage: tests/servers.sh
set -euo pipefail
cache=${PINTLE_CACHE:-$HOME/.cache/pintle}
moto=5.2.5 azurite=3.37.0

missing=()
need() { # need PROGRAM PACKAGE: also looked for where only root's PATH looks
  PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null || missing+=("$2")
}
need nginx nginx-light
need fcgiwrap fcgiwrap
need docker-registry docker-registry
need sshd openssh-server
need ssh openssh-client
need ssh-keygen openssh-client
need htpasswd apache2-utils
need openssl openssl
need git git
need gpg gnupg
need npm npm
if [ ${#missing[@]} -gt 0 ]; then
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq >&2
  # The packages bring services that start by themselves on a machine with systemd; a policy keeps them still elsewhere.
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi
# OpenSSH's server wants its empty folder for the unprivileged half.
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd

dir=$cache/servers/moto-$moto
if [ ! -e "$dir/done" ]; then
  # One process builds it, others wait.
  mkdir -p "$cache/servers"
  exec 9>"$cache/servers/.lock"
  flock 9
  if [ ! -e "$dir/done" ]; then
    rm -rf "$dir"
    python3 -m venv "$dir" >&2 || {
      # Debian's python3 comes without venv.
      apt-get install -y -qq --no-install-recommends python3-venv >&2
      rm -rf "$dir" && python3 -m venv "$dir" >&2
    }
    "$dir/bin/pip" install --quiet --disable-pip-version-check "moto[server,s3]==$moto" >&2
    touch "$dir/done"
  fi
fi

# An emulator of Azure Blob Storage, linked beside the S3 server.
more=$cache/servers/azurite-$azurite
if [ ! -e "$more/done" ]; then
  exec 8>"$cache/servers/.more.lock"
  flock 8
  if [ ! -e "$more/done" ]; then
    rm -rf "$more" && mkdir -p "$more"
    npm install --silent --no-fund --no-audit --prefix "$more" "azurite@$azurite" >&2
    touch "$more/done"
  fi
fi
ln -sfn "$more/node_modules/.bin/azurite-blob" "$dir/bin/azurite-blob"
echo "$dir/bin"
