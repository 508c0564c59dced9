#!/usr/bin/env bash
# Starts a Docker engine unless one is running, and prints the process id of the engine it started.
# If the machine does not allow firewall rules or overlay file systems, the engine runs without them.
set -euo pipefail
log=${TMPDIR:-/tmp}/dockerd.log

start() { # options of dockerd...
  setsid nohup dockerd "$@" >"$log" 2>&1 </dev/null &
  local engine=$!
  for _ in $(seq 60); do
    if docker version >/dev/null 2>&1; then
      echo "$engine"
      return
    fi
    kill -0 "$engine" 2>/dev/null || return 1
    sleep 1
  done
  kill "$engine"
  return 1
}

docker version >/dev/null 2>&1 && exit
if [[ $(id -u) != 0 ]]; then
  echo "No Docker engine is running for this user, and only root can start one." >&2
  exit 1
fi
start && exit
start --iptables=false --ip6tables=false --bridge=none && exit
start --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs && exit
echo "The Docker engine does not start, so the steps cannot be tested in containers. The end of its log:" >&2
tail -n 20 "$log" >&2
exit 1
