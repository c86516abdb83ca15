#!/usr/bin/env bash
# Builds a release into dist/: an archive for each system, an image for each kind of
# Linux, a list of the parts (SBOM), and checksums. The same commit, Go version and
# roots of trust (of this machine, in the images) give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/../.."
GO=${GO:-go}
VERSION=${VERSION:-$(git describe --tags --always --dirty)}
# Everything in the archives has the time of the commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH CGO_ENABLED=0 GOFLAGS=-mod=readonly LC_ALL=C TZ=UTC

rm -rf dist
mkdir -p dist
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for target in ${TARGETS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}; do
  export GOOS=${target%/*} GOARCH=${target#*/}
  name=gorgone_${VERSION}_${GOOS}_${GOARCH}
  mkdir "$work/$name"
  "$GO" build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$VERSION" -o "$work/$name/gorgone" ./cmd/gorgone
  cp README.md LICENSE CHANGELOG.md "$work/$name/"
  tar --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$SOURCE_DATE_EPOCH" --format=gnu \
    -C "$work" -cf - "$name" | gzip -9n >"dist/$name.tar.gz"
  echo "dist/$name.tar.gz"
done
unset GOOS GOARCH

# The images too are built here, without an engine.
for target in ${TARGETS:-linux/amd64 linux/arm64}; do
  [ "${target%/*}" = linux ] || continue
  image=dist/gorgone_${VERSION}_image_${target#*/}.tar
  (cd deploy/image && "$GO" run . -version "$VERSION" -arch "${target#*/}" -out "../../$image")
done

# Read from the first binary itself: what was built in, and nothing else. The
# tool is built for this machine, whatever was built above.
first=$(ls -d "$work"/gorgone_* | head -1)
"$GO" tool -modfile=tools/release/go.mod cyclonedx-gomod bin -json -std -noserial -version "$VERSION" -output "dist/gorgone_$VERSION.cdx.json" "$first/gorgone"
# The time of the list is that of the commit too.
stamp=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -r "$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
sed -i.bak -E "s/\"timestamp\": \"[^\"]*\"/\"timestamp\": \"$stamp\"/" "dist/gorgone_$VERSION.cdx.json"
rm -f dist/*.bak
echo "dist/gorgone_$VERSION.cdx.json"

(cd dist && sha256sum -- * >SHA256SUMS)
echo dist/SHA256SUMS
