package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gorgone/queue"
	"gorgone/twitter"
)

// maxSkew is how far this machine's own clock may be off before doctor mentions
// it. Nothing rests on it but the times in logs.
const maxSkew = 5 * time.Second

func newDoctor(a *app) *cobra.Command {
	var ask bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the database, NATS, the provider and the clock, and say what to fix",
		Long: `Check that the database is there, migrated and visible to this role, that NATS
and its streams work, that the provider is configured and not left alone because of
its account, its faults or a rate limit, that nothing is paused, and that the clocks
agree.
Each line that fails says what to do about it. Exits with 1 if one does.

With --ask it also makes one look-up, which a real provider bills.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e := examination{app: a}
			e.run(cmd.Context(), ask)
			if e.failed > 0 {
				return fmt.Errorf("%d of %d checks failed", e.failed, e.done)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&ask, "ask", false, "also make one look-up call (a real provider bills it)")
	return cmd
}

// examination prints one line a check.
type examination struct {
	*app
	done, failed int
}

func (e *examination) report(check string, err error, detail, fix string) bool {
	e.done++
	if err == nil {
		e.printf("ok    %-14s %s\n", check, detail)
		return true
	}
	e.failed++
	e.printf("FAIL  %-14s %v\n", check, err)
	if fix != "" {
		e.printf("      %-14s -> %s\n", "", fix)
	}
	return false
}

func (e *examination) run(ctx context.Context, ask bool) {
	var open resources
	defer open.close()
	if err := e.locate(); err != nil {
		e.report("database", err, "", "start gorgone up, or set DATABASE_URL")
		return
	}
	d, err := e.openDatabase(ctx, "doctor", &open)
	if e.report("database", err, "reachable", "check DATABASE_URL and that Postgres runs; then gorgone migrate") {
		e.examineDatabase(ctx, d)
	}
	m, err := e.openQueue(ctx, "doctor", &open)
	if e.report("nats", err, "streams are there", "check NATS_URL, and that JetStream is on") {
		depth, err := m.queue.Depth(ctx)
		e.report("queue", err, fmt.Sprintf("%d batches and %d refreshes waiting, a claim lasts %s", depth.Batch.Pending, depth.Refresh.Pending, m.queue.Lease()), "")
		if err == nil && depth.DeadLetters > 0 {
			e.report("dead letters", fmt.Errorf("%d messages could not be handled", depth.DeadLetters), "", "see why with gorgone dlq list, then gorgone dlq retry or drop")
		}
	}
	providers, err := e.openProviders(time.Now)
	for _, p := range providers {
		if e.report("provider", nil, fmt.Sprintf("%s, %g calls/s", p.name, p.rate), "") && ask {
			e.examineProvider(ctx, p)
		}
	}
	if err != nil {
		e.report("provider", err, "", "set TWITTER_API_KEY")
	} else if m.queue != nil && d.clock != nil {
		e.examineSources(ctx, m, d, &open)
	}
}

// examineSources says how the calls to the providers are doing: nothing is looked up
// while they are stopped.
func (e *examination) examineSources(ctx context.Context, m messaging, d database, open *resources) {
	l, err := e.openLookups(ctx, m, d.clock, open)
	if err != nil {
		e.report("calls", err, "", "")
		return
	}
	all, err := l.sources.Status(ctx)
	if err != nil {
		e.report("calls", err, "", "check NATS")
		return
	}
	for _, s := range all {
		var fault error
		fix := ""
		switch b := s.Breaker; {
		case b.State != queue.BreakerClosed && b.NextCheck != nil:
			fault = fmt.Errorf("%s is left alone since %s: %s", s.Provider, b.Since.Format(time.DateTime), b.Reason)
			fix = fmt.Sprintf("%s; it is checked by itself at %s, in UTC", fixOf(b.Cause), b.NextCheck.Format(time.TimeOnly))
		case s.PausedUntil != nil:
			fault = fmt.Errorf("%s is not called until %s: %s", s.Provider, s.PausedUntil.Format(time.DateTime), s.PauseReason)
			fix = "lower TWITTER_RATE to what the plan allows, if this comes again and again"
		}
		e.report("calls", fault, providerLine(s), fix)
	}
}

func fixOf(c queue.Cause) string {
	switch c {
	case queue.CauseOutOfCredit:
		return "recharge the account"
	case queue.CauseKeyRefused:
		return "check TWITTER_API_KEY and TWITTER_PROVIDER"
	default:
		return "wait for the provider to recover"
	}
}

func (e *examination) examineDatabase(ctx context.Context, d database) {
	findings, err := d.store.Check(ctx)
	if err != nil {
		e.report("schema", err, "", "run gorgone migrate")
		return
	}
	for _, f := range findings {
		var fault error
		if !f.OK {
			fault = errors.New(f.Detail)
		}
		e.report(f.Check, fault, f.Detail, f.Fix)
	}
	e.examinePauses(ctx, d)
	skew := time.Since(d.clock.Database()).Round(time.Millisecond)
	var fault error
	if skew.Abs() > maxSkew {
		fault = fmt.Errorf("this machine's clock is %s off the database's", skew)
	}
	e.report("clock", fault, fmt.Sprintf("within %s of the database's", skew.Abs()), "run a time service such as chrony; the engine goes by the database's time, but logs do not")
}

// examinePauses says what people have paused: nothing is looked up until then.
func (e *examination) examinePauses(ctx context.Context, d database) {
	pauses, err := d.store.Pauses(ctx)
	if err != nil || len(pauses) == 0 {
		e.report("pauses", err, "nothing is paused", "")
		return
	}
	for _, p := range pauses {
		e.report("pauses", errors.New(p.String()), "", "to go on: gorgone resume "+string(p.Lane))
	}
}

func (e *examination) examineProvider(ctx context.Context, p provider) {
	r := p.probe(ctx, e.probed(ctx))
	fix := ""
	switch {
	case errors.Is(r.Err, twitter.ErrUnauthorized):
		fix = "check TWITTER_API_KEY and TWITTER_PROVIDER"
	case errors.Is(r.Err, twitter.ErrOutOfCredit):
		fix = "recharge the account"
	case r.Err != nil:
		fix = "see gorgone probe for the whole answer"
	}
	e.report("look-up", r.Err, fmt.Sprintf("answered in %s, %d found", r.Duration.Round(time.Millisecond), len(r.Answer.Found)), fix)
}
