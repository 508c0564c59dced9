#!/usr/bin/env bash
# Builds an image of the pipeline's steps from the code as it is now: docker/build.sh cpu|gpu
#
# PYTHON         the Python that names the image        (python3)
# DOCKER         the client                             (the first `docker` that can build with BuildKit)
# BASE_IMAGE     see docker/Dockerfile                  (python:3.11-slim)
# CA             certificates for pip, a PEM file       (none)
# BUILD_OPTIONS  further options of `docker build`      (none)
set -euo pipefail
cd "$(dirname "$0")/.."
export DOCKER_BUILDKIT=1

processor=$1
image=$("${PYTHON:-python3}" -m pipelines.kubeflow.image "$processor")
base=${BASE_IMAGE:-$(sed -n 's/^ARG BASE_IMAGE=//p' docker/Dockerfile)}
files=(yt8m components docker requirements)

# Newer clients build with BuildKit only where a plugin is installed (buildx); Debian's can by itself.
client() {
  local candidate
  for candidate in ${DOCKER:-$(type -ap docker)}; do
    if "$candidate" build --help 2>/dev/null | grep -q -- --secret; then
      echo "$candidate"
      return
    fi
  done
  echo "No Docker client that builds with BuildKit: install docker-buildx, or Debian's docker.io, or name a client in DOCKER." >&2
  return 2
}

docker=$(client)
"$docker" version >/dev/null 2>&1 || { echo "No Docker engine answers. Start it (systemctl start docker), or name another in DOCKER_HOST." >&2; exit 2; }

revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
if [[ $revision != unknown && -n $(git status --porcelain -- "${files[@]}") ]]; then
  revision+=-changed
fi
# What is built on is here, so that the labels can say what it was.
"$docker" image inspect "$base" >/dev/null 2>&1 || "$docker" pull -q "$base" >&2
digest=$("$docker" image inspect --format '{{if .RepoDigests}}{{index .RepoDigests 0}}{{else}}{{.Id}}{{end}}' "$base")
options=(--tag "$image")
for argument in "PROCESSOR=$processor" "BASE_IMAGE=$base" "BASE_DIGEST=${digest#*@}" "VERSION=${image#*:}" "REVISION=$revision"; do
  options+=(--build-arg "$argument")
done
if [[ -n ${CA:-} ]]; then options+=(--secret "id=ca,src=$CA"); fi
# shellcheck disable=SC2086  # several options
"$docker" build "${options[@]}" ${BUILD_OPTIONS:-} --file docker/Dockerfile .
echo "$image"
