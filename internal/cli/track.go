package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/internal/app"
	"gorgone/internal/cli/tenants"
	"gorgone/internal/cli/terminal"
	"gorgone/internal/cli/tweetlist"
	"gorgone/internal/failure"
	"gorgone/store"
	"gorgone/store/untracked"
)

func newTrack(sh *shell) *cobra.Command {
	var zone, newZone, createdAt, file string
	var held heldTweets
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "track [ID ...]",
		Short: "Track tweets",
		Long: `Track tweets in a zone. They are named by id or by address (https://x.com/…), as
arguments, in a file, or on standard input (--file -), separated by lines, blanks,
commas or semicolons. Each may be followed by the time it was posted (RFC 3339);
without one it is read from the id. What follows a # is skipped, and a first line
that names columns. The file is in UTF-8 or UTF-16.

Nothing is tracked unless all are valid. After an interruption the error says how many
are tracked; the same command goes on from there.

With --all-untracked, tweets that others put into twitter_tweets are tracked: those of
active zones, or of --zone, that are young enough to be looked up more than once, or
that were posted since --since. Older ones would be looked up once and go cold.
GORGONE_TRACK_INSERTED has dispatchers do so all the time.`,
		Example: `  gorgone track --zone 6f1c… 1585841080431321088
  gorgone track --zone News --file ids.txt
  gorgone track --all-untracked
  psql -Atc 'select tweet_id from …' | gorgone track --zone News --file -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			switch {
			case held.all && len(args) > 0:
				return failure.Usagef("--all-untracked names no tweets")
			case !held.all && held.since != "":
				return failure.Usagef("--since goes with --all-untracked")
			case held.all:
				return sh.trackHeld(ctx, zone, held, asJSON)
			}
			tweets, err := sh.readTweets(args, file, createdAt)
			if err != nil {
				return err
			}
			d, err := sh.openDatabase(ctx)
			if err != nil {
				return err
			}
			defer d.Close()
			z, err := zoneFor(ctx, d.Store, zone, newZone)
			if err != nil {
				return err
			}
			// So many lines would only hide on a terminal how far it is.
			long := len(tweets) > trackPart
			brief := long && app.IsTerminal(sh.errOut) && app.IsTerminal(sh.out) && !asJSON
			var bar *terminal.Progress
			if long {
				bar = terminal.Start(sh.errOut, "tweets", len(tweets))
			}
			var all []store.Tracked
			err = trackAll(ctx, d, z.ID, tweets, func(part []store.Tracked) {
				if all = append(all, part...); !asJSON && !brief {
					sh.printTracked(part)
				}
				bar.Show(len(all))
			})
			bar.End()
			if brief {
				sh.printf("%s\n", trackedLine(all))
			}
			if asJSON { // of those, too, that were done before an error
				err = errors.Join(sh.trackedJSON(all), err)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "", "id or name of the zone (optional when there is only one)")
	cmd.Flags().StringVar(&newZone, "new-zone", "", "name of the zone; it is created if it does not exist")
	cmd.MarkFlagsMutuallyExclusive("zone", "new-zone")
	cmd.Flags().StringVar(&createdAt, "created-at", "", "when the tweets were posted, RFC 3339 (default: read from the id)")
	cmd.Flags().StringVarP(&file, "file", "f", "", "read ids from a file, or from standard input with -")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&held.all, "all-untracked", false, "track the tweets of the database that nothing tracks")
	cmd.Flags().StringVar(&held.since, "since", "", "with --all-untracked: also older ones, posted since this time (RFC 3339)")
	for _, name := range []string{"new-zone", "file", "created-at"} {
		cmd.MarkFlagsMutuallyExclusive("all-untracked", name)
	}
	return cmd
}

// heldTweets are tweets of the database that nothing tracks.
type heldTweets struct {
	all   bool
	since string
}

// trackHeld tracks them, and says how many.
func (sh *shell) trackHeld(ctx context.Context, zone string, held heldTweets, asJSON bool) error {
	d, err := sh.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer d.Close()
	q := untracked.Query{Since: d.Clock.Now().Add(-d.Horizon)}
	if held.since != "" {
		if q.Since, err = time.Parse(time.RFC3339, held.since); err != nil {
			return failure.Usagef("--since: want a time like 2026-11-23T09:30:00Z")
		}
	}
	if zone != "" {
		z, err := zoneFor(ctx, d.Store, zone, "")
		if err != nil {
			return err
		}
		q.Zone = z.ID
	}
	n, err := d.Untracked.Track(ctx, q)
	if err != nil {
		return fmt.Errorf("%d tweets were tracked; the same command goes on from there: %w", n, err)
	}
	if asJSON {
		return json.NewEncoder(sh.out).Encode(map[string]int{"tracked": n})
	}
	sh.printf("%d tweets posted since %s are tracked\n", n, q.Since.UTC().Format(time.RFC3339))
	return nil
}

func (sh *shell) printTracked(tracked []store.Tracked) {
	for _, t := range tracked {
		sh.printf("%s  %s  %s\n", t.TweetID, t.Row, strings.ReplaceAll(string(t.Status), "_", " "))
	}
}

// trackedLine sums up what became of many tweets.
func trackedLine(tracked []store.Tracked) string {
	number := make(map[store.TrackStatus]int)
	for _, t := range tracked {
		number[t.Status]++
	}
	line := make([]string, 0, len(number))
	for _, status := range slices.Sorted(maps.Keys(number)) {
		line = append(line, fmt.Sprintf("%d %s", number[status], strings.ReplaceAll(string(status), "_", " ")))
	}
	return strings.Join(line, ", ")
}

func (sh *shell) trackedJSON(tracked []store.Tracked) error {
	type line struct {
		TweetID string            `json:"tweet_id"`
		ID      uuid.UUID         `json:"id"`
		Status  store.TrackStatus `json:"status"`
	}
	lines := make([]line, len(tracked))
	for i, t := range tracked {
		lines[i] = line{t.TweetID, t.Row, t.Status}
	}
	return json.NewEncoder(sh.out).Encode(lines)
}

// readTweets reads the tweets that the arguments and the file name.
func (sh *shell) readTweets(args []string, file, createdAt string) ([]store.NewTweet, error) {
	if createdAt != "" {
		if _, err := time.Parse(time.RFC3339, createdAt); err != nil {
			return nil, failure.Usagef("--created-at: want a time like 2026-11-23T09:30:00Z")
		}
	}
	tweets, faults := tweetlist.Parse(strings.Join(args, "\n"), createdAt)
	if file != "" {
		text, err := sh.readFile(file)
		if err != nil {
			return nil, err
		}
		more, err := tweetlist.Parse(text, createdAt)
		tweets, faults = append(tweets, more...), errors.Join(faults, err)
	}
	if faults != nil {
		return nil, failure.Usagef("nothing was tracked:\n%w", faults)
	}
	if len(tweets) == 0 {
		return nil, failure.Usagef("no tweet ids given: name them, or read them from a file with --file")
	}
	return tweets, nil
}

// readFile reads a file with tweets; "-" is standard input.
func (sh *shell) readFile(name string) (string, error) {
	in := sh.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", failure.Usagef("%w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := tweetlist.ReadText(in)
	if err != nil {
		return "", fmt.Errorf("read the list of tweets: %w", err)
	}
	return text, nil
}

// trackPart is how many tweets are tracked before what became of them is printed.
const trackPart = 1000

// trackAll tracks tweets part by part and returns what became of those that were done. The
// error says how to go on.
func trackAll(ctx context.Context, d *app.Database, zone uuid.UUID, tweets []store.NewTweet, done func([]store.Tracked)) error {
	latest := d.Clock.Now().Add(5 * time.Minute) // as far ahead as the store takes it
	for _, t := range tweets {
		if t.CreatedAt.After(latest) {
			return failure.Usagef("nothing was tracked: %s would be posted at %s, and now it is %s",
				t.TweetID, t.CreatedAt.UTC().Format(time.RFC3339), d.Clock.Now().UTC().Format(time.RFC3339))
		}
	}
	n := 0
	for part := range slices.Chunk(tweets, trackPart) {
		tracked, err := d.Store.Track(ctx, zone, part)
		if err != nil {
			if n > 0 {
				err = fmt.Errorf("%d of %d tweets were tracked, up to %s. To go on, run the same command again, which leaves those as they are: %w",
					n, len(tweets), tweets[n-1].TweetID, err)
			}
			if errors.Is(err, store.ErrBadTweet) {
				err = failure.Usagef("%w", err)
			}
			return err
		}
		n += len(part)
		done(tracked)
	}
	return nil
}

// zoneFor finds the zone that the flags name, or makes it.
func zoneFor(ctx context.Context, s *store.Store, ref, name string) (store.Zone, error) {
	zones, err := s.Zones(ctx)
	if err != nil {
		return store.Zone{}, err
	}
	if name == "" {
		return tenants.Zone(zones, ref)
	}
	for _, z := range zones {
		if z.Name == name {
			return z, nil
		}
	}
	return s.CreateZone(ctx, store.Zone{Name: name})
}
