package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gorgone/internal/app"
	"gorgone/internal/cli/sources"
	"gorgone/internal/cli/terminal"
	"gorgone/queue"
	"gorgone/store/report"
	"gorgone/throttle"
	"gorgone/twitter"
)

// maxSkew is how far this machine's own clock may be off before doctor mentions
// it. Nothing rests on it but the times in logs.
const maxSkew = 5 * time.Second

func newDoctor(sh *shell) *cobra.Command {
	var ask bool
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check database, NATS, provider and clock, and print fixes",
		Long: `Check that the database is reachable, migrated and accessible to this role, that
NATS and its streams work, that the provider is configured and not stopped by its
circuit breaker or a rate limit, that no budget is used up, that the last look-ups were answered, that database and
streams take writes, that the running processes can work, that nothing is paused, and that the clocks agree.
Each failed check prints what to do about it. Exits with 1 if one fails.

With --ask, also make one look-up, which a real provider bills.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e := examination{shell: sh, asJSON: *asJSON}
			e.run(cmd.Context(), ask)
			if e.failed > 0 {
				return fmt.Errorf("%d of %d checks failed", e.failed, e.done)
			}
			return nil
		},
	}
	asJSON = jsonFlag(cmd)
	cmd.Flags().BoolVar(&ask, "ask", false, "also make one look-up call (a real provider bills it)")
	return cmd
}

// examination prints one line a check: for people, or an object of JSON.
type examination struct {
	*shell

	asJSON       bool
	done, failed int
}

// finding is what a check found.
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

func (e *examination) report(check string, err error, detail, fix string) bool {
	e.done++
	if err != nil {
		e.failed++
	}
	if e.asJSON {
		f := finding{Check: check, OK: err == nil, Detail: detail}
		if err != nil {
			f.Detail, f.Fix = err.Error(), fix
		}
		_ = e.result(true, f, "") // it is only strings
		return err == nil
	}
	if err == nil {
		e.printf("ok    %-18s %s\n", check, detail)
		return true
	}
	e.printf("FAIL  %-18s %v\n", check, err)
	if fix != "" {
		e.printf("      %-18s -> %s\n", "", fix)
	}
	return false
}

func (e *examination) run(ctx context.Context, ask bool) {
	if err := e.locate(); err != nil {
		e.report("database", err, "", "start gorgone up, or set DATABASE_URL")
		return
	}
	d, err := e.process.OpenDatabase(ctx, e.cfg)
	if e.report("database", err, "reachable", "check DATABASE_URL and that Postgres runs; then gorgone migrate") {
		defer d.Close()
		e.examineDatabase(ctx, d)
		e.examineLookups(ctx, d)
	}
	q, err := e.openQueue(ctx)
	if e.report("nats", err, "streams are there", "check NATS_URL, and that JetStream is on") {
		defer q.Close()
		depth, err := q.Depth(ctx)
		e.report("queue", err, fmt.Sprintf("%d batches and %d refreshes waiting, a claim lasts %s", depth.Batch.Pending, depth.Refresh.Pending, terminal.Duration(q.Lease())), "")
		present := e.examineProcesses(ctx, q)
		if d != nil {
			detail, err := d.Connections(ctx, present)
			e.report("connections", err, detail, "lower GORGONE_DB_MAX_CONNS, run fewer processes, or use a transaction pooler")
		}
		e.report("streams", q.CheckSpace(ctx), "they take writes", "free or add disk for NATS, or raise the account's limit")
		if err == nil && depth.DeadLetters > 0 {
			e.report("dead letters", fmt.Errorf("%d messages could not be handled", depth.DeadLetters), "", "see why with gorgone dlq list, then gorgone dlq retry or drop")
		}
	}
	providers, err := e.process.OpenProviders(e.cfg.Provider, time.Now)
	for _, p := range providers {
		if e.report("provider", nil, fmt.Sprintf("%s, %g calls/s", p.Name, p.Rate), "") && ask {
			e.examineProvider(ctx, p)
		}
	}
	if err != nil {
		e.report("provider", err, "", "")
	} else if q != nil && d != nil {
		e.examineSources(ctx, q, d)
		e.examineClientKeys(ctx, q, d)
	}
}

// processWait is how long processes may take to answer.
const processWait = time.Second

// examineProcesses asks the running processes whether they can work. A worker that can not
// write what it has knows better than any test from here whether the database takes it.
func (e *examination) examineProcesses(ctx context.Context, q *app.Queue) []queue.Replica {
	present, err := q.Replicas(ctx, processWait)
	for _, r := range present {
		if r.Trouble != "" {
			err = errors.Join(err, fmt.Errorf("%s on %s: %s", strings.Join(r.Roles, "+"), r.Host, r.Trouble))
		}
	}
	detail := "none runs: start gorgone dispatcher, gorgone worker and gorgone web"
	if len(present) > 0 {
		detail = fmt.Sprintf("%d answer", len(present))
	}
	e.report("processes", err, detail, "see that the database's disk is not full; the log of the process has more")
	return present
}

// examineSources says how the calls to the providers are doing: nothing is looked up
// while they are stopped.
func (e *examination) examineSources(ctx context.Context, q *app.Queue, d *app.Database) {
	l, err := e.openLookups(ctx, q, d.Clock)
	if err != nil {
		e.report("calls", err, "", "")
		return
	}
	defer l.Close()
	all, err := l.Shared.Status(ctx)
	if err != nil {
		e.report("calls", err, "", "check NATS")
		return
	}
	for _, s := range all {
		var fault error
		fix := ""
		switch b := s.Breaker; {
		case b.State != throttle.BreakerClosed && b.NextCheck != nil:
			fault = fmt.Errorf("%s is not called since %s: %s", s.Provider, b.Since.Format(time.DateTime), b.Reason)
			fix = fmt.Sprintf("%s; it is checked by itself at %s, in UTC", b.Cause.Effect().Fix, b.NextCheck.Format(time.TimeOnly))
		case s.PausedUntil != nil:
			fault = fmt.Errorf("%s is not called until %s: %s", s.Provider, s.PausedUntil.Format(time.DateTime), s.PauseReason)
			fix = "lower TWITTER_RATE to what the plan allows, if this comes again and again"
		}
		e.report("calls", fault, sources.Line(s), fix)
	}
}

func (e *examination) examineDatabase(ctx context.Context, d *app.Database) {
	findings, err := d.DB.Check(ctx)
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
	e.examineTracked(ctx, d)
	e.examinePauses(ctx, d)
	e.examineBudgets(ctx, d)
	keep := app.KeepHistory(e.cfg.Retention)
	cut, err := d.History.Preview(ctx, keep)
	e.report("retention", err, retentionLine(keep, cut), "")
	skew := time.Since(d.Clock.Database()).Round(time.Millisecond)
	var fault error
	if skew.Abs() > maxSkew {
		fault = fmt.Errorf("this machine's clock is %s off the database's", skew)
	}
	e.report("clock", fault, fmt.Sprintf("within %s of the database's", skew.Abs()), "run a time service such as chrony; the engine goes by the database's time, but logs do not")
}

// examineTracked says which tracked tweets can never be looked up as they are.
func (e *examination) examineTracked(ctx context.Context, d *app.Database) {
	stats, err := d.Report.Stats(ctx)
	if err == nil && stats.Unusable > 0 {
		var some []report.UnusableRow
		if some, err = d.Report.Unusable(ctx, 1); err == nil && len(some) > 0 {
			err = fmt.Errorf("%d of the tracked tweets cannot be looked up: row %s", stats.Unusable, some[0])
		}
	}
	e.report("tracked", err, fmt.Sprintf("%d tweets, %d in inactive zones", stats.Total(), stats.Parked),
		"correct tweet_id (1 to 19 digits) and zone_id in twitter_tweets, or delete the rows: they wait at no cost, and are looked up once they are right")
}

// examineLookups says what came of the last look-ups, whatever the state of the breaker.
func (e *examination) examineLookups(ctx context.Context, d *app.Database) {
	r, err := d.Report.Recent(ctx, d.Clock.Now().Add(-d.Clock.Engine(app.LookBack)), 1)
	if err != nil {
		e.report("look-ups", err, "", "")
		return
	}
	e.report("look-ups", r.Fault(), fmt.Sprintf("calls in the last %s: %d, %d failed; tweets: %d found, %d missing, %d without a usable answer",
		terminal.Duration(app.LookBack), r.Calls.Count, r.Calls.Failed, r.Found, r.Missing, r.Unresolved), "see an answer with gorgone probe; compare TWITTER_API_URL and TWITTER_PROVIDER")
}

// examinePauses says what people have paused: nothing is looked up until then.
func (e *examination) examinePauses(ctx context.Context, d *app.Database) {
	pauses, err := d.Pauses.List(ctx)
	if err != nil || len(pauses) == 0 {
		e.report("pauses", err, "nothing is paused", "")
		return
	}
	for _, p := range pauses {
		e.report("pauses", errors.New(p.String()), "", "to go on: gorgone resume "+string(p.Lane))
	}
}

// examineBudgets says which budgets are used up: what they pay for waits for the next ones.
func (e *examination) examineBudgets(ctx context.Context, d *app.Database) {
	spent, err := d.Store.Spending(ctx)
	detail := "none is set"
	for i, l := range spent.Limits() {
		if notice := l.Notice(); notice != "" {
			err = errors.Join(err, errors.New(notice))
		}
		if i == 0 {
			detail = ""
		} else {
			detail += ", "
		}
		detail += fmt.Sprintf("%.0f%% of %s", l.Share()*100, l)
	}
	e.report("budget", err, detail, "raise GORGONE_BUDGET_DAY, GORGONE_BUDGET_MONTH or GORGONE_REFRESH_BUDGET_DAY, or wait; gorgone cost shows where the money went")
}

func (e *examination) examineProvider(ctx context.Context, p *app.Provider) {
	r := p.Probe(ctx, e.probed(ctx))
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
