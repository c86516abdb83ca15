#!/usr/bin/env bash
# image.sh ARCH FILE builds the container image for linux/ARCH without an engine, as an
# archive that "docker load" reads. It is what deploy/Dockerfile builds with an engine.
set -euo pipefail
arch=$1 archive=$(mkdir -p "$(dirname "$2")" && cd "$(dirname "$2")" && pwd)/$(basename "$2")
cd "$(dirname "$0")/../.."
export VERSION=${VERSION:-$(git describe --tags --always --dirty)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

GOOS=linux GOARCH=$arch tools/release/binaries.sh "$work/root"
install -D -m 644 "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$work/root/etc/ssl/certs/ca-certificates.crt"
(cd "$work/root" && tar --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
  --mtime="@$SOURCE_DATE_EPOCH" --format=gnu -cf "$work/layer.tar" -- *)
"${GO:-go}" -C deploy/image run . -layer "$work/layer.tar" -version "$VERSION" -arch "$arch" -out "$archive"
