package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/jsonb"
	"gorgone/store/postgres"
)

// trackChunk is how many tweets are tracked in one transaction.
const trackChunk = 1000

// maxAhead is how far after now a tweet may have been posted, in engine time: as
// much as clocks may differ.
const maxAhead = 5 * time.Minute

// NewTweet is a tweet to track.
type NewTweet struct {
	TweetID   string
	CreatedAt time.Time          // when it was posted, 5 minutes from now at most
	Text      string             // may be empty
	Metrics   engagement.Metrics // counts known at collection; may be all absent
	Raw       json.RawMessage    // the provider's object; nil is stored as {}
}

// TrackStatus says what tracking a tweet led to.
type TrackStatus string

// The statuses.
const (
	// StatusTracked: the tweet is tracked from now on.
	StatusTracked TrackStatus = "tracked"
	// StatusAlready: the zone tracked it before. If it counted as gone it is looked
	// at again, else nothing was changed.
	StatusAlready TrackStatus = "already_tracked"
	// StatusOtherZone: another zone holds the tweet and the database, being of
	// the older schema, allows one row a tweet.
	StatusOtherZone TrackStatus = "held_by_another_zone"
)

// Tracked is what became of one tweet given to [Store.Track].
type Tracked struct {
	TweetID string
	Row     uuid.UUID // id of twitter_tweets; the other zone's row for StatusOtherZone
	Status  TrackStatus
}

// Track begins to track tweets in a zone, and stores the counts known at
// collection as the baseline snapshot. Tweets that the zone has but does not
// track (collected by others) are tracked from now on. A tweet that counted as gone,
// in whatever zone, is looked at once more, now. The result is in the order
// of tweets; an id given twice is tracked once, as it was given first.
//
// Tweets are checked before anything is written; the error names the first bad
// one and wraps [ErrBadTweet], and [engagement.ErrTweetID] or [engagement.ErrOutOfRange] where those
// apply. What the database alone refuses is ErrBadTweet too. An unknown zone is [ErrZoneNotFound]. Long lists are written in several
// transactions; calling again after an error is safe.
func (s *Store) Track(ctx context.Context, zone uuid.UUID, tweets []NewTweet) ([]Tracked, error) {
	return s.track(ctx, zone, tweets, true)
}

// TrackHeld is [Store.Track] of tweets that the zone has already: no tweet is inserted, and
// the result of one that is gone is zero.
func (s *Store) TrackHeld(ctx context.Context, zone uuid.UUID, tweets []NewTweet) ([]Tracked, error) {
	return s.track(ctx, zone, tweets, false)
}

func (s *Store) track(ctx context.Context, zone uuid.UUID, tweets []NewTweet, insert bool) ([]Tracked, error) {
	now := s.clock.Now()
	for i := range tweets {
		if err := s.checkNew(&tweets[i], now); err != nil {
			return nil, fmt.Errorf("track tweet %d of %d: %w: %w", i+1, len(tweets), ErrBadTweet, err)
		}
	}
	if _, err := s.Zone(ctx, zone); err != nil {
		return nil, fmt.Errorf("track tweets: %w", err)
	}
	required, err := s.db.RequiredColumns(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.readPolicies(ctx, true); err != nil {
		return nil, err
	}
	status := make(map[string]Tracked, len(tweets))
	for chunk := range slices.Chunk(distinct(tweets), trackChunk) {
		k := tracker{store: s, zone: zone, now: now, required: required, status: status, insert: insert}
		err := s.db.Transact(ctx, "track tweets", func(ctx context.Context, t *postgres.Tx) error {
			k.tx = t
			return k.track(ctx, chunk)
		})
		if postgres.HasCode(err, postgres.CodeForeignKeyViolation) { // deleted since
			return nil, fmt.Errorf("track tweets: %w: %s", ErrZoneNotFound, zone)
		}
		if postgres.BadValue(err) {
			return nil, fmt.Errorf("track %d tweets from %s on: %w: %w", len(chunk), chunk[0].TweetID, ErrBadTweet, err)
		}
		if err != nil {
			return nil, err
		}
		if err := s.revive(ctx, k.gone, required); err != nil {
			return nil, err
		}
	}
	tracked := make([]Tracked, len(tweets))
	for i, w := range tweets {
		tracked[i] = status[w.TweetID]
	}
	return tracked, nil
}

// checkNew refuses what the database or the rules would.
func (s *Store) checkNew(w *NewTweet, now time.Time) error {
	if err := engagement.CheckTweetID(w.TweetID); err != nil {
		return err
	}
	switch {
	case w.CreatedAt.IsZero():
		return fmt.Errorf("%s: it is not said when it was posted", w.TweetID)
	case w.CreatedAt.After(now.Add(maxAhead)):
		return fmt.Errorf("%s: it would be posted at %s, and now it is %s", w.TweetID, w.CreatedAt.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case !utf8.ValidString(w.Text) || strings.ContainsRune(w.Text, 0):
		return fmt.Errorf("%s: its text is not UTF-8 that Postgres can store", w.TweetID)
	}
	if w.Raw != nil {
		if err := jsonb.Check(w.Raw); err != nil {
			return fmt.Errorf("%s: Postgres cannot store its raw data: %w", w.TweetID, err)
		}
	}
	if _, err := engagement.Track(s.options.Policy, engagement.Tracking{CreatedAt: w.CreatedAt, Metrics: w.Metrics}, now); err != nil {
		return fmt.Errorf("%s: %w", w.TweetID, err)
	}
	return nil
}

// distinct returns the tweets with each id once, sorted by id: the order in which
// all callers insert, so that they can not wait for each other in a circle.
func distinct(tweets []NewTweet) []NewTweet {
	seen := make(map[string]bool, len(tweets))
	list := make([]NewTweet, 0, len(tweets))
	for _, w := range tweets {
		if !seen[w.TweetID] {
			seen[w.TweetID] = true
			list = append(list, w)
		}
	}
	slices.SortFunc(list, func(a, b NewTweet) int { return strings.Compare(a.TweetID, b.TweetID) })
	return list
}
