package devstack

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"gorgone/engagement"
	"gorgone/internal/config"
	"gorgone/internal/devstack/runfile"
	"gorgone/store/report"
)

const (
	watchTerminalEvery = time.Second
	watchLogEvery      = 10 * time.Second
)

// banner prints where everything is.
func (s *Stack) banner() error {
	a, cfg, provider := s.app, s.cfg, s.app.Provider()
	if !s.o.Terminal {
		s.log.Info().Str("data_dir", s.o.DataDir).Str("postgres", address(cfg.Database.URL)).Str("nats", address(cfg.Queue.URL)).Str("http", a.WebURL()).Str("provider", provider.Name).
			Str("provider_url", cfg.Provider.URL).Float64("speed", s.o.Speed).Dur("lease_ms", a.Queue().Lease()).
			Float64("calls_per_second", provider.Rate).Msg("up")
		return nil
	}
	w, dir := s.o.Out, s.o.DataDir
	login, err := a.LoginCode()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "gorgone %s is up. Ctrl-C stops it; started again it continues from there.\n\n", s.o.Version)
	fmt.Fprintf(w, "  data      %s (log: %s/%s)\n", dir, dir, logFile)
	fmt.Fprintf(w, "  postgres  %s (password in %s/%s)\n", address(cfg.Database.URL), dir, runfile.Name)
	fmt.Fprintf(w, "  nats      %s\n", address(cfg.Queue.URL))
	if login != "" {
		fmt.Fprintf(w, "  dashboard %s\n            (valid for one login; gorgone dashboard prints another)\n", runfile.LoginURL(a.WebURL(), login))
	}
	fmt.Fprintf(w, "  http      %s (token: %s/%s)\n", a.WebURL(), dir, runfile.TokenName)
	if s.collector != nil {
		fmt.Fprintf(w, "  provider  a fake one at %s with %d tweets; set TWITTER_API_KEY to call the real one\n", cfg.Provider.URL, s.collector.Population.Len())
	} else {
		fmt.Fprintf(w, "  provider  %s\n", provider.Name)
	}
	fmt.Fprintf(w, "  rate      %g calls/s, %d tweets a call\n", provider.Rate, provider.MaxIDs())
	if speed := s.db.Clock.Speed(); speed != 1 {
		fmt.Fprintf(w, "  time      %g times faster: a minute passes in %s\n", speed, s.db.Clock.Real(time.Minute).Round(time.Millisecond))
	}
	fmt.Fprintf(w, "\nIn another terminal: gorgone stats | refresh ID | history ID (with --data-dir %s)\n\n", dir)
	return nil
}

// address is a URL, or a list of them, without what must not be shown of it. What
// it cannot read as one it does not show at all.
func address(s config.Secret) string {
	var shown []string
	for part := range strings.SplitSeq(string(s), ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil || u.Scheme == "" || u.Host == "" {
			return s.String()
		}
		shown = append(shown, u.Scheme+"://"+u.Host+u.Path)
	}
	return strings.Join(shown, ",")
}

// watch shows the progress until ctx ends: in place on a terminal, else in the log.
func (s *Stack) watch(ctx context.Context) {
	every := watchLogEvery
	if s.o.Terminal {
		every = watchTerminalEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	v := view{Stack: s}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		stats, err := s.db.Report.Stats(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			s.log.Warn().Err(err).Msg("reading statistics failed")
		case err != nil:
		case s.o.Terminal:
			v.draw(stats, every)
		default:
			v.report(stats)
		}
	}
}

// view shows the progress of a running stack.
type view struct {
	*Stack

	lastCalls int64
	lines     int // drawn before
}

func (v *view) draw(s report.Stats, every time.Duration) {
	p, counts := v.app.Progress(), v.app.Provider().Calls()
	calls := counts.Made.Load()
	rate := float64(calls-v.lastCalls) / every.Seconds()
	v.lastCalls = calls
	var b strings.Builder
	if v.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", v.lines)
	}
	lines := []string{
		fmt.Sprintf("time      %s", s.At.Format(time.DateTime)),
		fmt.Sprintf("backlog   %d due, %d in work, lateness %s", s.DueUnclaimed, s.DueClaimed, s.Lateness().Round(time.Second)),
		fmt.Sprintf("rate      %.1f tweets/s, %.1f calls/s", s.Outstanding.DonePerSecond, rate),
		fmt.Sprintf("calls     %d (%d failed), %d tweets returned", calls, counts.Failed.Load(), counts.Returned.Load()),
		fmt.Sprintf("rows      %d updated, %d missing (%d gone), %d failed, %d refreshes", p.Applied, p.Missing, p.Deleted, p.Unresolved, p.Refreshes),
		"tiers     " + TierLine(s.Tier),
	}
	if stop, stopped := v.app.Lookups().Shared.Stopped(); stopped {
		lines = append(lines, fmt.Sprintf("STOPPED   until %s: %s", stop.Until.Local().Format(time.TimeOnly), stop.Reason))
	}
	v.lines = len(lines)
	b.WriteString(strings.Join(lines, "\n") + "\n")
	fmt.Fprint(v.o.Out, b.String())
}

// TierLine says how many tweets each tier has.
func TierLine(tiers map[engagement.Tier]int) string {
	var b strings.Builder
	for _, t := range engagement.Tiers() {
		fmt.Fprintf(&b, "%s %d  ", t, tiers[t])
	}
	return strings.TrimSpace(b.String())
}

func (v *view) report(s report.Stats) {
	p, counts := v.app.Progress(), v.app.Provider().Calls()
	e := v.log.Info().Time("engine_time", s.At).Int("backlog", s.DueUnclaimed).Int("claimed", s.DueClaimed).
		Float64("lateness_s", s.Lateness().Seconds()).Float64("tweets_per_s", s.Outstanding.DonePerSecond).
		Int64("calls", counts.Made.Load()).Int64("calls_failed", counts.Failed.Load()).
		Int64("applied", p.Applied).Int64("missing", p.Missing).Int64("deleted", p.Deleted).Int64("controls", p.Controls).Int64("refreshes", p.Refreshes)
	for _, t := range engagement.Tiers() {
		e = e.Int(string(t), s.Tier[t])
	}
	e.Msg("progress")
}
