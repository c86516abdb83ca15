#!/bin/sh
# binaries.sh DIR builds every command of cmd/ into DIR, for GOOS and GOARCH, as VERSION.
# The archives, the images and deploy/Dockerfile all build with it: static binaries, and
# the same source, version and Go give the same bytes.
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/../.."
CGO_ENABLED=0 GOFLAGS=-mod=readonly "${GO:-go}" build -trimpath -buildvcs=false \
  -ldflags "-s -w -buildid= -X main.version=$VERSION" -o "$out/" ./cmd/...
