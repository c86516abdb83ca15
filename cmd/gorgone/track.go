package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/store"
)

func newTrack(a *app) *cobra.Command {
	var zone, newZone, createdAt, file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "track [ID ...]",
		Short: "Begin to track tweets",
		Long: `Begin to track tweets in a zone. Ids are given as arguments, in a file, or on
standard input (--file -): one a line, optionally followed by the time the tweet
was posted (RFC 3339). Without one the time is read from the id itself. Empty
lines and lines that start with # are skipped.

Nothing is tracked unless every line is good.`,
		Example: `  gorgone track --zone 6f1c… 1585841080431321088
  gorgone track --zone News --file ids.txt
  psql -Atc 'select tweet_id from …' | gorgone track --zone News --file -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			tweets, err := a.readTweets(args, file, createdAt)
			if err != nil {
				return err
			}
			var open resources
			defer open.close()
			d, err := a.findDatabase(ctx, "track", &open)
			if err != nil {
				return err
			}
			z, err := zoneFor(ctx, d.store, zone, newZone)
			if err != nil {
				return err
			}
			tracked, err := d.store.Track(ctx, z.ID, tweets)
			if errors.Is(err, store.ErrBadTweet) {
				return usageError("%w", err)
			}
			if err != nil {
				return err
			}
			return a.printTracked(tracked, asJSON)
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "", "id or name of the zone (may be left out when there is one zone only)")
	cmd.Flags().StringVar(&newZone, "new-zone", "", "name of a zone to make, unless there is one of that name")
	cmd.MarkFlagsMutuallyExclusive("zone", "new-zone")
	cmd.Flags().StringVar(&createdAt, "created-at", "", "when the tweets were posted, RFC 3339 (default: read from the id)")
	cmd.Flags().StringVarP(&file, "file", "f", "", "read ids from a file, or from standard input with -")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) printTracked(tracked []store.Tracked, asJSON bool) error {
	if asJSON {
		type line struct {
			TweetID string            `json:"tweet_id"`
			ID      uuid.UUID         `json:"id"`
			Status  store.TrackStatus `json:"status"`
		}
		lines := make([]line, len(tracked))
		for i, t := range tracked {
			lines[i] = line{t.TweetID, t.Row, t.Status}
		}
		return json.NewEncoder(a.out).Encode(lines)
	}
	for _, t := range tracked {
		a.printf("%s  %s  %s\n", t.TweetID, t.Row, strings.ReplaceAll(string(t.Status), "_", " "))
	}
	return nil
}

// readTweets reads ids from the arguments and the file, and reports every bad
// one at once.
func (a *app) readTweets(args []string, file, createdAt string) ([]store.NewTweet, error) {
	if createdAt != "" {
		if _, err := time.Parse(time.RFC3339, createdAt); err != nil {
			return nil, usageError("--created-at: want a time like 2026-11-23T09:30:00Z")
		}
	}
	lines := append([]string(nil), args...)
	switch file {
	case "":
	case "-":
		more, err := readLines(a.in)
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		lines = append(lines, more...)
	default:
		f, err := os.Open(file)
		if err != nil {
			return nil, usageError("%w", err)
		}
		defer f.Close()
		more, err := readLines(f)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		lines = append(lines, more...)
	}
	var tweets []store.NewTweet
	var faults []error
	for i, l := range lines {
		l, _, _ = strings.Cut(l, "#")
		words := strings.Fields(l)
		if len(words) == 0 {
			continue
		}
		if len(words) == 1 && createdAt != "" {
			words = append(words, createdAt)
		}
		t, err := newTweet(words)
		if err != nil {
			faults = append(faults, fmt.Errorf("id %d: %w", i+1, err))
			continue
		}
		tweets = append(tweets, t)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, usageError("nothing was tracked:\n%w", err)
	}
	if len(tweets) == 0 {
		return nil, usageError("no tweet ids given: name them, or read them from a file with --file")
	}
	return tweets, nil
}

func newTweet(words []string) (store.NewTweet, error) {
	if len(words) > 2 {
		return store.NewTweet{}, fmt.Errorf("%q: want an id and at most a time", strings.Join(words, " "))
	}
	if err := engagement.CheckTweetID(words[0]); err != nil {
		return store.NewTweet{}, err
	}
	if len(words) == 2 {
		at, err := time.Parse(time.RFC3339, words[1])
		if err != nil {
			return store.NewTweet{}, fmt.Errorf("%s: want a time like 2026-11-23T09:30:00Z, got %q", words[0], words[1])
		}
		return store.NewTweet{TweetID: words[0], CreatedAt: at}, nil
	}
	at, err := engagement.TweetCreatedAt(words[0])
	if err != nil {
		return store.NewTweet{}, fmt.Errorf("%w; give the time after it, or with --created-at", err)
	}
	return store.NewTweet{TweetID: words[0], CreatedAt: at}, nil
}

func readLines(r io.Reader) ([]string, error) {
	var lines []string
	s := bufio.NewScanner(r)
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	return lines, s.Err()
}

// zoneFor finds the zone that the flags name, or makes it.
func zoneFor(ctx context.Context, s *store.Store, ref, name string) (store.Zone, error) {
	zones, err := s.Zones(ctx)
	if err != nil {
		return store.Zone{}, err
	}
	if name == "" {
		return findZone(zones, ref)
	}
	for _, z := range zones {
		if z.Name == name {
			return z, nil
		}
	}
	return s.CreateZone(ctx, store.Zone{Name: name})
}

func findZone(zones []store.Zone, ref string) (store.Zone, error) {
	var found []store.Zone
	for _, z := range zones {
		if ref == "" || z.ID.String() == ref || z.Name == ref {
			found = append(found, z)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(zones) == 0:
		return store.Zone{}, &exitError{exitNotFound, errors.New("there are no zones yet; the product makes them, or gorgone track --new-zone NAME")}
	case len(found) == 0:
		return store.Zone{}, &exitError{exitNotFound, fmt.Errorf("no zone %q; there are %s", ref, zoneNames(zones))}
	default:
		return store.Zone{}, usageError("which zone? name one with --zone: %s", zoneNames(found))
	}
}

func zoneNames(zones []store.Zone) string {
	names := make([]string, 0, 10)
	for _, z := range zones[:min(len(zones), 10)] {
		names = append(names, fmt.Sprintf("%s (%s)", z.Name, z.ID))
	}
	return strings.Join(names, ", ")
}
