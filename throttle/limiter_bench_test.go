package throttle_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
	"gorgone/queue/queuetest"
	"gorgone/throttle"
)

const (
	benchFor     = 7 * time.Second
	benchWarmUp  = time.Second // since the first call, in which replicas learn how long a write takes
	benchWaiters = 16          // a replica
)

// BenchmarkPaceSaturated measures replicas that all want more than the rate, in
// the batch class. Run it with -benchtime 1x: it takes 4 s a case.
func BenchmarkPaceSaturated(b *testing.B) {
	for _, rate := range []float64{20, 200, 500} {
		for _, replicas := range []int{1, 4, 16} {
			b.Run(fmt.Sprintf("rate=%v/replicas=%d", rate, replicas), func(b *testing.B) {
				for b.Loop() {
					var log grantLog
					saturate(b, replicasOf(b, rate, replicas, &log), &log)
				}
			})
		}
	}
}

// BenchmarkPaceCluster is BenchmarkPaceSaturated on a cluster of three servers in this
// process, with nothing reserved for refreshes: calls/s is out of 97% of the rate.
func BenchmarkPaceCluster(b *testing.B) {
	for _, rate := range []float64{20, 200, 1000} {
		for _, replicas := range []int{4, 16, 64} {
			b.Run(fmt.Sprintf("rate=%v/replicas=%d", rate, replicas), func(b *testing.B) {
				for b.Loop() {
					var log grantLog
					cluster := natstest.StartCluster(b, 3)
					limiters := make([]*throttle.Limiter, replicas)
					logs := make([]grantLog, replicas)
					for i := range limiters {
						limiters[i] = join(b, openOn(b, cluster), throttle.LimiterConfig{Key: "bench", Rate: rate, RefreshReserve: -1, OnGrant: func(g throttle.Grant) {
							log.add(g)
							logs[i].add(g)
						}})
					}
					saturate(b, limiters, &log)
					reportShares(b, logs)
				}
			})
		}
	}
}

// BenchmarkPaceRefresh measures how long a refresh waits for its call while the
// batch class of all replicas is saturated: one at a time, in a replica of its own.
func BenchmarkPaceRefresh(b *testing.B) {
	for _, rate := range []float64{20, 200, 500} {
		for _, replicas := range []int{1, 4, 16} {
			b.Run(fmt.Sprintf("rate=%v/replicas=%d", rate, replicas), func(b *testing.B) {
				for b.Loop() {
					refreshBeside(b, rate, replicas)
				}
			})
		}
	}
}

func replicasOf(b *testing.B, rate float64, n int, log *grantLog) []*throttle.Limiter {
	b.Helper()
	server := natstest.Start(b)
	limiters := make([]*throttle.Limiter, n)
	for i := range limiters {
		limiters[i] = join(b, queuetest.Open(b, server, queue.Config{}), throttle.LimiterConfig{Key: "bench", Rate: rate, OnGrant: log.add})
	}
	return limiters
}

func waitAll(ctx context.Context, wg *conc.WaitGroup, limiters []*throttle.Limiter) {
	for _, p := range limiters {
		for range benchWaiters {
			wg.Go(func() {
				for p.Class(queue.ClassBatch).Wait(ctx) == nil {
				}
			})
		}
	}
}

func refreshBeside(b *testing.B, rate float64, replicas int) {
	b.Helper()
	var log grantLog
	limiters := replicasOf(b, rate, replicas+1, &log)
	ctx, cancel := context.WithTimeout(b.Context(), benchFor)
	defer cancel()
	var wg conc.WaitGroup
	waitAll(ctx, &wg, limiters[:replicas])
	var waits []time.Duration
	tick := time.NewTicker(37 * time.Millisecond) // out of step with the runs
	defer tick.Stop()
	for class := limiters[replicas].Class(queue.ClassRefresh); ; <-tick.C {
		began := time.Now()
		if class.Wait(ctx) != nil {
			break
		}
		waits = append(waits, time.Since(began))
	}
	wg.Wait()

	waits = waits[1:] // the first waits for the new limiter to start
	slices.Sort(waits)
	at := func(q float64) float64 { return float64(waits[int(q*float64(len(waits)-1))]) / 1e6 }
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
	b.ReportMetric(float64(busiest(log.times(), time.Second)), "most-in-1s")
	b.ReportMetric(0, "ns/op")
}

func saturate(b *testing.B, limiters []*throttle.Limiter, log *grantLog) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), benchFor)
	defer cancel()
	var wg conc.WaitGroup
	waitAll(ctx, &wg, limiters)
	wg.Wait()

	var sum throttle.LimiterStats
	for _, p := range limiters {
		s := p.Stats()
		sum.Reservations += s.Reservations
		sum.Conflicts += s.Conflicts
		sum.Forfeited += s.Forfeited
	}
	times := log.times()
	most := busiest(times, time.Second)
	whole, warm := times[len(times)-1].Sub(times[0]).Seconds(), times[0].Add(benchWarmUp)
	first := slices.IndexFunc(times, warm.Before)
	if first == -1 {
		b.Fatalf("%d calls, and none after the first second", len(times))
	}
	times = times[first:]
	took := times[len(times)-1].Sub(times[0]).Seconds()
	b.ReportMetric(float64(len(times)-1)/took, "calls/s")
	b.ReportMetric(float64(sum.Reservations)/whole, "reservations/s")
	b.ReportMetric(float64(sum.Conflicts)/whole, "conflicts/s")
	b.ReportMetric(float64(sum.Forfeited)/whole, "forfeited/s")
	b.ReportMetric(float64(most), "most-in-1s")
	b.ReportMetric(0, "ns/op")
}

// reportShares reports how many of the replicas were served at all, and how much of all calls
// the busiest tenth of them had, at least one.
func reportShares(b *testing.B, logs []grantLog) {
	b.Helper()
	counts := make([]int, len(logs))
	total, served := 0, 0
	for i := range logs {
		counts[i] = len(logs[i].times())
		total += counts[i]
		if counts[i] > 0 {
			served++
		}
	}
	slices.Sort(counts)
	most := 0
	for _, n := range counts[len(counts)-max(1, len(counts)/10):] {
		most += n
	}
	b.ReportMetric(float64(served), "served")
	b.ReportMetric(float64(most)/float64(total), "of-busiest-tenth")
}

// grantLog collects grants of any number of replicas.
type grantLog struct {
	mu   sync.Mutex
	list []throttle.Grant
}

func (l *grantLog) add(g throttle.Grant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, g)
}

// times returns when calls started, in order.
func (l *grantLog) times() []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	times := make([]time.Time, 0, len(l.list))
	for _, g := range l.list {
		times = append(times, g.At)
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// busiest returns the most times that lie in any window of the given length.
func busiest(times []time.Time, window time.Duration) int {
	most, first := 0, 0
	for i, t := range times {
		for t.Sub(times[first]) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
