package dispatcher

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"gorgone/store/history"
)

const (
	// partitionsAhead is how far ahead, in engine time, daily partitions of the history
	// are created. It is no whole number of hours, so that they are not created at midnight
	// (UTC), when everybody's jobs run.
	partitionsAhead = 3*24*time.Hour + 6*time.Hour + 43*time.Minute

	// maintainInterval is the real time between two rounds of housekeeping; a sped-up
	// clock, which uses up partitions faster, shortens it.
	maintainInterval = time.Minute
)

// Batches deletes the records of batches that have ended.
type Batches interface {
	PruneBatches(ctx context.Context, before time.Time) (int, error)
}

// History creates partitions for new snapshots, downsamples and drops old ones, and merges
// the days of old months.
type History interface {
	EnsurePartitions(ctx context.Context, from, to time.Time) (int, error)
	Retain(ctx context.Context, r history.Retention) (history.Retained, error)
	Merge(ctx context.Context, r history.Retention) (history.Merged, error)
}

// Alerts finds stalled tweets, and deletes alerts that have ended.
type Alerts interface {
	CheckStalled(ctx context.Context) error
	Prune(ctx context.Context, before time.Time) (int, error)
}

// Inserted tracks tweets that others have inserted and that are young enough to be looked up.
type Inserted interface {
	TrackInserted(ctx context.Context) (int, error)
}

// Tables are what housekeeping works on. All fields but the last are required.
type Tables struct {
	Batches Batches
	History History
	Alerts  Alerts

	Inserted Inserted // nil: nothing is tracked unasked
}

// Retention is how long records are kept, in engine time.
type Retention struct {
	Batches time.Duration // records of batches, after the batch has ended
	Alerts  time.Duration // alerts, after the alert has ended
	History history.Retention
}

// Maintain does the housekeeping until ctx ends: it deletes old records of batches and
// alerts, creates the history's partitions ahead of time, downsamples and drops old
// history, merges the days of old months, raises alerts for stalled tweets, and tracks
// inserted ones if it is to. Any number of processes may run it at once. Errors are logged,
// and the next round tries again.
func Maintain(ctx context.Context, tables Tables, clock Clock, keep Retention, log zerolog.Logger) {
	every := max(min(maintainInterval, clock.Real(partitionsAhead/6)), minTick)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var told told
	for {
		// A wrong time is reported by who reads the clock.
		if clock.Agrees() == nil {
			maintain(ctx, tables, clock.Now(), keep, log, &told)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// MaintainOnce does one round as of now. A step that fails does not stop the others.
func MaintainOnce(ctx context.Context, tables Tables, now time.Time, keep Retention, log zerolog.Logger) {
	maintain(ctx, tables, now, keep, log, &told{})
}

// told says what the log has, and need not have each minute.
type told struct {
	waiting bool // old history is kept
	strays  bool // points are in the default partition
}

// maintain is MaintainOnce.
func maintain(ctx context.Context, tables Tables, now time.Time, keep Retention, log zerolog.Logger, told *told) {
	failed := failures(ctx, log)
	if n, err := tables.History.EnsurePartitions(ctx, now, now.Add(partitionsAhead)); !failed(err, "creating history partitions failed") && n > 0 {
		log.Debug().Int("partitions", n).Msg("created history partitions")
	}
	if tables.Inserted != nil {
		n, err := tables.Inserted.TrackInserted(ctx)
		if failed(err, "tracking inserted tweets failed"); n > 0 {
			log.Info().Int("tweets", n).Msg("tracked inserted tweets")
		}
	}
	failed(tables.Alerts.CheckStalled(ctx), "looking for stalled tweets failed")
	_, err := tables.Batches.PruneBatches(ctx, now.Add(-keep.Batches))
	failed(err, "pruning batches failed")
	_, err = tables.Alerts.Prune(ctx, now.Add(-keep.Alerts))
	failed(err, "pruning alerts failed")
	r, err := tables.History.Retain(ctx, keep.History)
	failed(err, "applying the retention of the history failed")
	if r.Waiting && !told.waiting {
		log.Warn().Msg("old history is kept, since GORGONE_RETENTION is not set: gorgone retention says what would go, and how to agree")
	}
	told.waiting = r.Waiting
	if r.Dropped+r.Deleted+r.Downsampled > 0 {
		log.Info().Int("partitions", r.Dropped).Int("deleted", r.Deleted).Int("thinned", r.Downsampled).Msg("applied the retention of the history")
	}
	m, err := tables.History.Merge(ctx, keep.History)
	failed(err, "merging old days of the history failed")
	if m.Months > 0 {
		log.Info().Int("months", m.Months).Int("points", m.Points).Msg("merged the days of months into one partition each")
	}
	switch {
	case m.Strays > 0 && !told.strays:
		log.Warn().Int("points", m.Strays).Msg("no partition was made in time for points of the history; they are moved to partitions of their days")
	case m.Strays == 0 && told.strays && err == nil:
		log.Info().Msg("all points of the history are in the partitions of their days again")
	}
	told.strays = m.Strays > 0 || told.strays && err != nil
}

// failures returns a function that reports whether a step failed, and logs the message if
// so, unless ctx has ended.
func failures(ctx context.Context, log zerolog.Logger) (failed func(err error, message string) bool) {
	return func(err error, message string) bool {
		if err != nil && ctx.Err() == nil {
			log.Error().Err(err).Msg(message)
		}
		return err != nil
	}
}
