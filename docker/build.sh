#!/usr/bin/env bash
# Builds an image of the pipeline's steps from the current code: docker/build.sh cpu|gpu
#
# PYTHON         Python that computes the image's name  (python3)
# DOCKER         Docker client                          (the first `docker` that builds with BuildKit)
# BASE_IMAGE     base image, see docker/Dockerfile      (python:3.11-slim)
# CA             PEM file of certificates for pip       (none)
# BUILD_OPTIONS  further options of `docker build`      (none)
set -euo pipefail
cd "$(dirname "$0")/.."
export DOCKER_BUILDKIT=1

processor=$1
image=$("${PYTHON:-python3}" -m pipelines.kubeflow.image "$processor")
base=${BASE_IMAGE:-$(sed -n 's/^ARG BASE_IMAGE=//p' docker/Dockerfile)}
files=(yt8m components docker requirements)

# Newer clients need a plugin (buildx) to build with BuildKit. Debian's client does not.
client() {
  local candidate
  for candidate in ${DOCKER:-$(type -ap docker)}; do
    if "$candidate" build --help 2>/dev/null | grep -q -- --secret; then
      echo "$candidate"
      return
    fi
  done
  echo "No Docker client builds with BuildKit here. Install docker-buildx or Debian's docker.io, or set DOCKER to a client that does." >&2
  return 2
}

docker=$(client)
"$docker" version >/dev/null 2>&1 || { echo "No Docker engine is running. Start it (systemctl start docker), or set DOCKER_HOST to the address of another one." >&2; exit 2; }

revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
if [[ $revision != unknown && -n $(git status --porcelain -- "${files[@]}") ]]; then
  revision+=-changed
fi
# Pull the base image first, so that a label can record its digest.
"$docker" image inspect "$base" >/dev/null 2>&1 || "$docker" pull -q "$base" >&2
digest=$("$docker" image inspect --format '{{if .RepoDigests}}{{index .RepoDigests 0}}{{else}}{{.Id}}{{end}}' "$base")
options=(--tag "$image")
for argument in "PROCESSOR=$processor" "BASE_IMAGE=$base" "BASE_DIGEST=${digest#*@}" "VERSION=${image#*:}" "REVISION=$revision"; do
  options+=(--build-arg "$argument")
done
if [[ -n ${CA:-} ]]; then options+=(--secret "id=ca,src=$CA"); fi
# shellcheck disable=SC2086  # BUILD_OPTIONS may hold several options
"$docker" build "${options[@]}" ${BUILD_OPTIONS:-} --file docker/Dockerfile .
echo "$image"
