#!/usr/bin/env bash
# Makes sure that a Docker engine answers; prints the process id of the one it started, if it had to.
# Where an engine cannot have everything (firewall rules, overlays of file systems), it makes do with less.
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
  echo "No Docker engine answers this user, and only root can start one." >&2
  exit 1
fi
start && exit
start --iptables=false --ip6tables=false --bridge=none && exit
start --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs && exit
echo "No Docker engine can be started here, so that the steps cannot be tested in containers. What it said last:" >&2
tail -n 20 "$log" >&2
exit 1
