#!/usr/bin/env bash
# Pushes an image that docker/build.sh has built: docker/push.sh cpu|gpu registry.example.com/team
set -euo pipefail
cd "$(dirname "$0")/.."

image=$("${PYTHON:-python3}" -m pipelines.build.image "$1")
registry=${2:?Where to? make push REGISTRY=registry.example.com/team}
docker=${DOCKER:-docker}
"$docker" tag "$image" "$registry/$image"
"$docker" push "$registry/$image"
