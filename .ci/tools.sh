#!/usr/bin/env bash
# Installs missing tools that the tests need: the Docker engine, debootstrap, Chromium, kubectl.
set -euo pipefail
cd "$(dirname "$0")"
as_root=$([[ $(id -u) == 0 ]] || echo sudo)

have() { # is any of these commands installed?
  local name
  for name; do command -v "$name" >/dev/null && return; done
  return 1
}

packages=()
have dockerd || packages+=(docker.io)
have debootstrap || packages+=(debootstrap)
have chromium chromium-browser google-chrome || packages+=(chromium fonts-dejavu-core)
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
if [[ ${#packages[@]} -gt 0 ]]; then
  $as_root apt-get update -q
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}"
fi

# Debian's kubectl is too old for the components of the overlays.
if ! have kubectl; then
  tools=${XDG_CACHE_HOME:-$HOME/.cache}/yt8m-ci
  python3 -m venv "$tools"
  "$tools/bin/pip" install -q --disable-pip-version-check --require-hashes --only-binary :all: -r kubectl.lock
  $as_root ln -sf "$tools/bin/kubectl" /usr/local/bin/kubectl
fi
