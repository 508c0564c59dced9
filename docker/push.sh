#!/usr/bin/env bash
# Pushes the image of the code as it is, which docker/build.sh has built: docker/push.sh cpu|gpu registry.example.com/team
# Any client will do (DOCKER, else `docker`): only building needs one with BuildKit.
set -euo pipefail
cd "$(dirname "$0")/.."

image=$("${PYTHON:-python3}" -m pipelines.kubeflow.image "$1")
registry=${2:?Where to? make push REGISTRY=registry.example.com/team}
docker=${DOCKER:-docker}
"$docker" version >/dev/null 2>&1 || { echo "No Docker engine answers. Start it (systemctl start docker), or name another in DOCKER_HOST." >&2; exit 2; }
"$docker" image inspect "$image" >/dev/null 2>&1 || { echo "$image is not here. Build it first: make image TARGET=$1, with the options that it needs." >&2; exit 2; }
"$docker" tag "$image" "$registry/$image"
"$docker" push "$registry/$image"
