// Command image builds the image that deploy/Dockerfile describes, without an engine:
// it reads the Dockerfile with BuildKit's own parser, runs the commands of its build
// stage on this machine, over no more than the build context would hold, and puts what
// they made into an image, as an archive for docker load, podman load or skopeo.
//
//	cd deploy/image && go run . -version v1.2.3 -arch arm64 -out ../../dist/gorgone.tar
//
// It knows the instructions that this Dockerfile needs and refuses any other, so the
// two cannot drift apart in silence.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	root := flags.String("root", "../..", "the root of the repository, the build context")
	version := flags.String("version", "unreleased", "the version, which is the tag too")
	arch := flags.String("arch", runtime.GOARCH, "the processor: amd64 or arm64")
	out := flags.String("out", "gorgone.tar", "the archive to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	made, err := sourceDate()
	if err != nil {
		return err
	}
	tag, err := name.NewTag("gorgone:" + *version)
	if err != nil {
		return err
	}
	img, err := Build(ctx, Options{Root: *root, Version: *version, Arch: *arch, Made: made})
	if err != nil {
		return err
	}
	if err := tarball.WriteToFile(*out, tag, img); err != nil {
		return fmt.Errorf("write %s: %w", *out, err)
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	fmt.Printf("%s  %s  %s\n", *out, tag, digest)
	return nil
}

// sourceDate is the time that everything in the image has: SOURCE_DATE_EPOCH, as
// reproducible builds agree on, or the start of 1970.
func sourceDate() (time.Time, error) {
	v := os.Getenv("SOURCE_DATE_EPOCH")
	if v == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	seconds, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is no number of seconds: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
