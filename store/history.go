package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
)

// HistoryRange selects a part of a tweet's history. The zero value is all of it.
type HistoryRange struct {
	From  time.Time // inclusive; zero: from the beginning
	To    time.Time // exclusive; zero: to the end
	Limit int       // the latest so many; 0: no limit
}

// History returns the snapshots of a row, oldest first. A row that does not
// exist has none; see [Store.FindTweet].
func (s *Store) History(ctx context.Context, row uuid.UUID, r HistoryRange) ([]engagement.Snapshot, error) {
	return nil, errors.ErrUnsupported
}
