#!/usr/bin/env bash
# Pushes the image that docker/build.sh built from the current code: docker/push.sh cpu|gpu registry.example.com/team
# Works with any Docker client (DOCKER, by default `docker`). Only building needs BuildKit.
set -euo pipefail
cd "$(dirname "$0")/.."

image=$("${PYTHON:-python3}" -m pipelines.kubeflow.image "$1")
registry=${2:?The registry is missing: make push REGISTRY=registry.example.com/team}
docker=${DOCKER:-docker}
"$docker" version >/dev/null 2>&1 || { echo "No Docker engine is running. Start it (systemctl start docker), or set DOCKER_HOST to the address of another one." >&2; exit 2; }
"$docker" image inspect "$image" >/dev/null 2>&1 || { echo "$image does not exist. Build it first: make image TARGET=$1, with the same options." >&2; exit 2; }
"$docker" tag "$image" "$registry/$image"
"$docker" push "$registry/$image"
