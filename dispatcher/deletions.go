package dispatcher

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"gorgone/store/population"
)

const (
	// deletionsInterval is the real time between two looks at how many tweets are missing; a
	// sped-up clock shortens it.
	deletionsInterval = time.Minute

	// deletionsSpan is the engine time that may pass between two.
	deletionsSpan = 5 * time.Minute
)

// Absences knows how many tweets are missing, and checks those that count as deleted.
type Absences interface {
	Population(ctx context.Context) (population.State, error)
	RecheckGone(ctx context.Context, within time.Duration) (int, error)
}

// HeldAlerts raises an alert while deletions are held.
type HeldAlerts interface {
	CheckHeld(ctx context.Context, p population.State) error
}

// WatchDeletions tells when so many tweets are missing that none of them is called
// deleted, and when that is over, and has tweets that count as deleted checked again, until
// ctx ends. Any number of processes may run it at once; each of them logs. Errors are
// logged, and the next round tries again.
func WatchDeletions(ctx context.Context, absences Absences, alerts HeldAlerts, clock Clock, log zerolog.Logger) {
	every := max(min(deletionsInterval, clock.Real(deletionsSpan)), minTick)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var held bool
	for {
		held = watchDeletionsOnce(ctx, absences, alerts, held, every, log)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// watchDeletionsOnce does one round, and returns whether deletions are held.
func watchDeletionsOnce(ctx context.Context, absences Absences, alerts HeldAlerts, held bool, within time.Duration, log zerolog.Logger) bool {
	failed := failures(ctx, log)
	if n, err := absences.RecheckGone(ctx, within); !failed(err, "checking deleted tweets failed") && n > 0 {
		log.Debug().Int("tweets", n).Msg("checking whether deleted tweets are back")
	}
	p, err := absences.Population(ctx)
	if failed(err, "counting missing tweets failed") {
		return held
	}
	if p.Held() != held {
		level, message := zerolog.WarnLevel, "deletions are held: more tweets are missing than ever go at once"
		if held {
			level, message = zerolog.InfoLevel, "deletions are no longer held"
		}
		log.WithLevel(level).Int("missing", p.Missing).Int("gone_lately", p.Gone).Int("live", p.Live).Time("since", p.HeldSince).Msg(message)
	}
	failed(alerts.CheckHeld(ctx, p), "alerting of held deletions failed")
	return p.Held()
}
