package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// counters are the costs of a tweet that a busy machine does not change.
type counters struct {
	WAL         float64 `json:"wal_bytes"`
	Wire        float64 `json:"wire_bytes"`
	RoundTrips  float64 `json:"round_trips"` // the worker's; the dispatcher's follow the time that it waits
	Allocations float64 `json:"allocations"` // the worker's
}

// readCounters reads a baseline, which must have all counters.
func readCounters(path string) (c counters, err error) {
	text, err := os.ReadFile(path) // #nosec G304 -- the user's own
	if err != nil {
		return c, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("read %s: %w", path, err)
	}
	if !(c.WAL > 0 && c.Wire > 0 && c.RoundTrips > 0 && c.Allocations > 0) {
		return c, fmt.Errorf("read %s: want wal_bytes, wire_bytes, round_trips and allocations, each above 0", path)
	}
	return c, nil
}

// within returns an error that names the counters that exceed the baseline's by more than
// a tenth. Those that were not measured are errors too.
func (c counters) within(baseline counters) error {
	var faults []error
	check := func(what string, got, want float64) {
		if !(got > 0 && got <= 1.1*want) {
			faults = append(faults, fmt.Errorf("%s a tweet: %.4g, more than a tenth above the baseline of %.4g", what, got, want))
		}
	}
	check("bytes of WAL", c.WAL, baseline.WAL)
	check("bytes on the wire", c.Wire, baseline.Wire)
	check("round trips", c.RoundTrips, baseline.RoundTrips)
	check("allocations", c.Allocations, baseline.Allocations)
	return errors.Join(faults...)
}

// counters returns the engine's.
func (r *results) counters() counters {
	return counters{
		WAL:         medianOf(r.engine, turn.walEach),
		Wire:        medianOf(r.engine, turn.bytesEach),
		RoundTrips:  medianOf(r.engine, func(t turn) float64 { return t.of("worker").tripsEach() }),
		Allocations: medianOf(r.engine, func(t turn) float64 { return t.mallocs / float64(t.tweets) }),
	}
}

// speedOf is what the JSON says of a contender.
type speedOf struct {
	TweetsPerSecond float64 `json:"tweets_per_s"`
	CPUPer100k      float64 `json:"cpu_s_per_100k"`
}

func newSpeedOf(turns []turn) speedOf {
	return speedOf{medianOf(turns, turn.perSecond), medianOf(turns, turn.cpuPer100k)}
}

// report prints the results.
func (b *bench) report(r results) error {
	if !b.JSON {
		b.print(r)
		return nil
	}
	c := r.counters()
	var report struct {
		Raw        speedOf `json:"raw"`
		RawHTTP    speedOf `json:"raw_http"`
		EndToEnd   speedOf `json:"end_to_end"`
		WAL        float64 `json:"wal_bytes"`
		Wire       float64 `json:"wire_bytes"`
		RoundTrips float64 `json:"round_trips"`
		Refresh    struct {
			P50 float64 `json:"p50"`
			P95 float64 `json:"p95"`
			P99 float64 `json:"p99"`
		} `json:"refresh_ms"`
		WorkerMiB float64 `json:"worker_mib"`
	}
	report.Raw, report.RawHTTP, report.EndToEnd = newSpeedOf(r.raw), newSpeedOf(r.rawHTTP), newSpeedOf(r.engine)
	report.WAL, report.Wire, report.RoundTrips = c.WAL, c.Wire, medianOf(r.engine, turn.tripsEach)
	ms := func(p int) float64 { return float64(percentile(r.refreshes.took, p)) / float64(time.Millisecond) }
	report.Refresh.P50, report.Refresh.P95, report.Refresh.P99 = ms(50), ms(95), ms(99)
	report.WorkerMiB = float64(r.workerMemory) / (1 << 20)
	e := json.NewEncoder(b.Out)
	e.SetIndent("", "  ")
	return e.Encode(report)
}

func (b *bench) print(r results) {
	b.printf("%d cores, %s; medians of %d alternating turns of %d due tweets; %.0f%% of the look-ups find nothing new; provider latency %s\n\n",
		runtime.NumCPU(), runtime.Version(), b.Rounds, b.Tweets, 100*b.Idle, b.Latency)
	w := tabwriter.NewWriter(b.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "\ttweets/s\tCPU s per 100,000\tx raw\tWAL B a tweet\twire B a tweet\tround trips a tweet\t")
	base := medianOf(r.raw, turn.cpuPer100k)
	for _, c := range []struct {
		name  string
		turns []turn
	}{{"raw", r.raw}, {"raw + HTTP", r.rawHTTP}, {"end to end", r.engine}} {
		of := func(f func(turn) float64) float64 { return medianOf(c.turns, f) }
		_, _ = fmt.Fprintf(w, "%s\t%.0f\t%.1f\t%.1f\t%.0f\t%.0f\t%.4f\t\n", c.name, of(turn.perSecond), of(turn.cpuPer100k), of(turn.cpuPer100k)/base,
			of(turn.walEach), of(turn.bytesEach), of(turn.tripsEach))
	}
	_ = w.Flush()
	b.printf("\nend to end, by process\n")
	for _, u := range r.engine[0].used {
		of := func(f func(turn) float64) float64 {
			return medianOf(r.engine, func(t turn) float64 { return f(t.of(u.process)) })
		}
		_, _ = fmt.Fprintf(w, "%s\t\t%.1f\t%.1f\t\t%.0f\t%.4f\t\n", u.process, of(turn.cpuPer100k), of(turn.cpuPer100k)/base, of(turn.bytesEach), of(turn.tripsEach))
	}
	_ = w.Flush()
	c := r.counters()
	b.printf("\ncounters    {\"wal_bytes\": %.0f, \"wire_bytes\": %.0f, \"round_trips\": %.4f, \"allocations\": %.1f}\n", c.WAL, c.Wire, c.RoundTrips, c.Allocations)
	got := r.refreshes
	b.printf("refreshes   %d answered, %d not; p50 %s, p95 %s, p99 %s, max %s; meanwhile %.0f tweets/s, backlog never under %d\n",
		len(got.took), b.Refreshes-len(got.took), percentile(got.took, 50), percentile(got.took, 95), percentile(got.took, 99), percentile(got.took, 100),
		got.done, got.backlog)
	b.printf("memory      worker %d MiB, dispatcher %d MiB at their most\n", r.workerMemory>>20, r.dispatcherMemory>>20)
}

// medianOf is the median of a figure over turns; the lower one of two.
func medianOf(turns []turn, figure func(turn) float64) float64 {
	var all []float64
	for _, t := range turns {
		all = append(all, figure(t))
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}

// percentile of sorted durations; 0 of none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	i := (len(sorted)*p+99)/100 - 1
	return sorted[max(i, 0)].Round(100 * time.Microsecond)
}
