package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
)

// Tweet is a row of twitter_tweets and what is known of its tracking.
type Tweet struct {
	Row         uuid.UUID
	TweetID     string
	ZoneID      uuid.UUID
	ZoneName    string
	ZoneActive  bool
	Text        string
	CollectedAt time.Time

	// Tracked is false for a tweet that was collected and is not tracked; then
	// only CreatedAt and Metrics of Tracking are set.
	Tracked      bool
	Tracking     engagement.Tracking
	ClaimedUntil time.Time // end of the lease; zero: not claimed
}

// Tweet returns the row with the given id of twitter_tweets, or
// [ErrTweetNotFound].
func (s *Store) Tweet(ctx context.Context, row uuid.UUID) (Tweet, error) {
	return Tweet{}, errors.ErrUnsupported
}

// FindTweet returns the rows that ref names: the one row whose id it is, when ref
// is a UUID, else all rows of the tweet with that id, one a zone, ordered by zone
// name. It returns [ErrTweetNotFound] when there is none, and an error wrapping
// [engagement.ErrTweetID] when ref is neither.
func (s *Store) FindTweet(ctx context.Context, ref string) ([]Tweet, error) {
	return nil, errors.ErrUnsupported
}
