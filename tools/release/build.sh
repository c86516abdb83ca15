#!/usr/bin/env bash
# Builds a release into DIST: an archive for each system, an image for each Linux
# architecture, a bill of materials (SBOM) for each command, and checksums. The same
# commit, Go version and CA certificates (this machine's, in the images) give the same
# bytes.
set -euo pipefail
cd "$(dirname "$0")/../.."
DIST=${DIST:-dist}
export VERSION=${VERSION:-$(git describe --tags --always --dirty)}
# Everything in the archives has the time of the commit.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export LC_ALL=C TZ=UTC

rm -rf "$DIST"
mkdir -p "$DIST"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for target in ${TARGETS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}; do
  os=${target%/*} arch=${target#*/}
  name=gorgone_${VERSION}_${os}_${arch}
  GOOS=$os GOARCH=$arch tools/release/binaries.sh "$work/$name"
  commands=$(cd "$work/$name" && echo *)
  cp README.md LICENSE CHANGELOG.md "$work/$name/"
  tar --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$SOURCE_DATE_EPOCH" --format=gnu \
    -C "$work" -cf - "$name" | gzip -9n >"$DIST/$name.tar.gz"
  echo "$DIST/$name.tar.gz"
  if [ "$os" = linux ]; then
    tools/release/image.sh "$arch" "$DIST/gorgone_${VERSION}_image_$arch.tar"
  fi
done

# Each list is read from a binary itself, and has the time of the commit too.
stamp=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
for command in $commands; do
  list=$DIST/${command}_$VERSION.cdx.json
  "${GO:-go}" tool -modfile=tools/release/go.mod cyclonedx-gomod bin -json -std -noserial -version "$VERSION" "$work/$name/$command" |
    sed -E "s/\"timestamp\": \"[^\"]*\"/\"timestamp\": \"$stamp\"/" >"$list"
  echo "$list"
done

(cd "$DIST" && sha256sum -- * >SHA256SUMS)
echo "$DIST/SHA256SUMS"
