#!/usr/bin/env bash
# Prints the name of a base image for docker/Dockerfile: the official one, or one made from Debian packages.
set -euo pipefail
official=python:3.11-slim
own=yt8m-base:bookworm

for image in "$official" "$own"; do
  if docker image inspect "$image" >/dev/null 2>&1; then
    echo "$image"
    exit
  fi
done
if timeout 300 docker pull -q "$official" >&2; then
  echo "$official"
  exit
fi
echo "Cannot pull $official. Making a base image with debootstrap." >&2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
packages=python3,python3-pip,python3-venv,ca-certificates
if ! debootstrap --variant=minbase --include="$packages" bookworm "$folder/root" >"$folder/log"; then
  tail -n 20 "$folder/log" "$folder/root/debootstrap/debootstrap.log" >&2
  exit 1
fi
tar --create --directory "$folder/root" --exclude './var/cache/apt/archives/*.deb' --exclude './var/lib/apt/lists/*_*' . |
  docker import - "$own" >&2
echo "$own"
