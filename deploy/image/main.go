// Command image makes a container image of one layer with go-containerregistry: no
// engine, no registry, no base image. tools/release/image.sh calls it.
//
//	go -C deploy/image run . -layer layer.tar -version v1.2.3 -arch arm64 -out gorgone.tar
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

func main() {
	layer := flag.String("layer", "layer.tar", "the root file system, as a tar archive")
	version := flag.String("version", "unreleased", "the version, which is also the tag")
	arch := flag.String("arch", runtime.GOARCH, "the architecture: amd64 or arm64")
	out := flag.String("out", "gorgone.tar", "the archive to write, for docker load, podman load or skopeo")
	flag.Parse()
	if err := build(*layer, *version, *arch, *out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// build writes the image. Its creation time is SOURCE_DATE_EPOCH, in seconds.
func build(layer, version, arch, out string) error {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("read SOURCE_DATE_EPOCH: %w", err)
	}
	img, err := crane.Append(empty.Image, layer)
	if err != nil {
		return err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created = "linux", arch, v1.Time{Time: time.Unix(seconds, 0).UTC()}
	file.Config = config(version)
	if img, err = mutate.ConfigFile(img, file); err != nil {
		return err
	}
	if err := crane.Save(img, "gorgone:"+version, out); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%s  gorgone:%s  %s\n", out, version, digest)
	return err
}

// config is how the image runs. deploy/Dockerfile says the same, which a test checks.
func config(version string) v1.Config {
	return v1.Config{
		User:       "65532:65532", // a number: Kubernetes can tell that it is not root
		Entrypoint: []string{"/gorgone"},
		Cmd:        []string{"--help"},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "gorgone",
			"org.opencontainers.image.version":     version,
			"org.opencontainers.image.description": "Keeps the engagement counters of tweets fresh",
			"org.opencontainers.image.licenses":    "MIT",
		},
	}
}
