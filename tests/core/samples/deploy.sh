#!/usr/bin/env bash
# Deploys.
set -e
TARGET="${1:-prod}"
readonly VERSION=1
export PATH=/bin

# Says it.
log() {
  local message="$1"
  echo "$message" # out
}

function deploy {
  log "to $TARGET"
  cat <<EOF
text # no comment
EOF
}
deploy
