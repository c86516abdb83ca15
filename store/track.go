package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
)

// NewTweet is a tweet to track.
type NewTweet struct {
	TweetID   string
	CreatedAt time.Time          // when it was posted
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
	// StatusAlready: the zone tracked it before; nothing was changed.
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
// track (collected by others) are tracked from now on. The result is in the order
// of tweets; an id given twice is tracked once, as it was given first.
//
// Tweets are checked before anything is written; the error names the first bad
// one and wraps [engagement.ErrTweetID] or [engagement.ErrOutOfRange] where those
// apply. An unknown zone is [ErrZoneNotFound]. Long lists are written in several
// transactions; calling again after an error is safe.
func (s *Store) Track(ctx context.Context, zone uuid.UUID, tweets []NewTweet) ([]Tracked, error) {
	return nil, errors.ErrUnsupported
}
