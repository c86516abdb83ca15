package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"gorgone/engagement"
	"gorgone/worker"
)

const (
	watchTerminalEvery = time.Second
	watchLogEvery      = 10 * time.Second
)

// greet says where everything is.
func (a *app) greet(h house, o upOptions, terminal bool) {
	if !terminal {
		a.log.Info().Str("data_dir", a.dataDir).Str("postgres", address(a.cfg.Database.URL)).Str("nats", address(a.cfg.Queue.URL)).Str("http", h.running.WebURL).Str("provider", h.provider.name).
			Str("provider_url", a.cfg.Provider.URL).Float64("speed", o.speed).Dur("lease_ms", h.queue.Lease()).
			Float64("calls_per_second", h.provider.rate).Msg("up")
		return
	}
	w := a.errOut
	fmt.Fprintf(w, "gorgone %s is up. Ctrl-C stops it; started again it goes on from there.\n\n", versionString())
	fmt.Fprintf(w, "  data      %s (log: %s/gorgone.log)\n", a.dataDir, a.dataDir)
	fmt.Fprintf(w, "  postgres  %s (password in %s/%s)\n", address(a.cfg.Database.URL), a.dataDir, runningFile)
	fmt.Fprintf(w, "  nats      %s\n", address(a.cfg.Queue.URL))
	if h.local != nil {
		fmt.Fprintf(w, "  dashboard %s\n            (good for one login; gorgone dashboard prints another)\n", h.login)
	}
	fmt.Fprintf(w, "  http      %s (token: %s/%s)\n", h.running.WebURL, a.dataDir, localTokenFile)
	if h.collector != nil {
		fmt.Fprintf(w, "  provider  a double at %s with %d tweets; set TWITTER_API_KEY to ask the real one\n", a.cfg.Provider.URL, h.collector.population.Len())
	} else {
		fmt.Fprintf(w, "  provider  %s\n", h.provider.name)
	}
	fmt.Fprintf(w, "  rate      %g calls/s, %d tweets a call\n", h.provider.rate, h.provider.maxIDs())
	if s := h.clock.Speed(); s != 1 {
		fmt.Fprintf(w, "  time      %g times faster: a minute passes in %s\n", s, h.clock.Real(time.Minute).Round(time.Millisecond))
	}
	fmt.Fprintf(w, "\nIn another terminal: gorgone stats | refresh ID | history ID (with --data-dir %s)\n\n", a.dataDir)
}

// address is a URL, or a list of them, without what must not be shown of it. What
// it cannot read as one it does not show at all.
func address(s secret) string {
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

// watch shows how things go until ctx ends: in place on a terminal, else in the
// log.
func (a *app) watch(ctx context.Context, h house, progress func() worker.Progress, terminal bool) {
	every := watchLogEvery
	if terminal {
		every = watchTerminalEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	view := view{house: h, progress: progress}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s, err := h.store.Stats(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			a.log.Warn().Err(err).Msg("read statistics")
		case err != nil:
		case terminal:
			view.draw(a, newStatsOf(s), every)
		default:
			view.log(a, newStatsOf(s))
		}
	}
}

// view is the live picture of a running house.
type view struct {
	house
	progress  func() worker.Progress
	lastCalls int64
	lines     int // drawn before
}

func (v *view) draw(a *app, s stats, every time.Duration) {
	p := v.progress()
	calls := v.provider.calls.calls.Load()
	rate := float64(calls-v.lastCalls) / every.Seconds()
	v.lastCalls = calls
	var b strings.Builder
	if v.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", v.lines)
	}
	lines := []string{
		fmt.Sprintf("time      %s", s.At.Format(time.DateTime)),
		fmt.Sprintf("backlog   %d due, %d in work, lateness %s", s.Backlog, s.Claimed, time.Duration(s.LatenessSeconds*float64(time.Second)).Round(time.Second)),
		fmt.Sprintf("rate      %.1f tweets/s, %.1f calls/s", s.TweetsPerSecond, rate),
		fmt.Sprintf("calls     %d (%d failed), %d tweets returned", calls, v.provider.calls.failed.Load(), v.provider.calls.returned.Load()),
		fmt.Sprintf("rows      %d updated, %d missing (%d gone), %d failed, %d refreshes", p.Applied, p.Missing, p.Deleted, p.Unresolved, p.Refreshes),
		"tiers     " + tierLine(s.Tiers),
	}
	if stop, stopped := v.sources.Stopped(); stopped {
		lines = append(lines, fmt.Sprintf("STOPPED   until %s: %s", stop.Until.Local().Format(time.TimeOnly), stop.Reason))
	}
	v.lines = len(lines)
	b.WriteString(strings.Join(lines, "\n") + "\n")
	fmt.Fprint(a.errOut, b.String())
}

func tierLine(tiers map[engagement.Tier]int) string {
	var b strings.Builder
	for _, t := range engagement.Tiers() {
		fmt.Fprintf(&b, "%s %d  ", t, tiers[t])
	}
	return strings.TrimSpace(b.String())
}

func (v *view) log(a *app, s stats) {
	p := v.progress()
	e := a.log.Info().Time("engine_time", s.At).Int("backlog", s.Backlog).Int("claimed", s.Claimed).
		Float64("lateness_s", s.LatenessSeconds).Float64("tweets_per_s", s.TweetsPerSecond).
		Int64("calls", v.provider.calls.calls.Load()).Int64("calls_failed", v.provider.calls.failed.Load()).
		Int64("applied", p.Applied).Int64("missing", p.Missing).Int64("deleted", p.Deleted).Int64("controls", p.Controls).Int64("refreshes", p.Refreshes)
	for _, t := range engagement.Tiers() {
		e = e.Int(string(t), s.Tiers[t])
	}
	e.Msg("progress")
}
