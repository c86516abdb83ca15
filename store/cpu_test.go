package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gorgone/store"
	pg "gorgone/store/postgres"
)

// cost is what a server has used since it started.
type cost struct {
	cpu float64 // seconds
	wal int64   // bytes
}

// serverCost reads the processor time of all processes of the server, and how much WAL
// it has written.
func (e *env) serverCost(b *testing.B) cost {
	b.Helper()
	pidFile, err := os.ReadFile(filepath.Join(scalar[string](b, e, `show data_directory`), "postmaster.pid"))
	if err != nil {
		b.Fatal(err)
	}
	postmaster, _, _ := strings.Cut(string(pidFile), "\n")
	var ticks int64
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path) // #nosec G304 -- of a process
		if err != nil {
			continue // it has ended
		}
		// The name in parentheses may hold anything; state and parent follow it.
		_, rest, _ := strings.Cut(string(stat), ") ")
		f := strings.Fields(rest)
		if len(f) < 13 || f[1] != postmaster {
			continue
		}
		for _, field := range f[11:13] { // user and system time
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			ticks += n
		}
	}
	return cost{float64(ticks) / 100, scalar[int64](b, e, `select (pg_current_wal_lsn() - '0/0')::int8`)}
}

// BenchmarkApplyCost applies 20,000 tweets in batches of 300 on one connection, all of
// which have new counts or a quarter of them, and reports what that costs the server.
//
//	go test ./store -run '^$' -bench ApplyCost -benchtime 5x
func BenchmarkApplyCost(b *testing.B) {
	const tweets = 20_000
	e := durableEnv(b, pg.ExecPrepared)
	s := e.with(store.Options{Forecast: true})
	e.trackIn(b, e.zone, newTweets(epoch, tweets))
	if _, err := e.EnsurePartitions(b.Context(), epoch, epoch.Add(48*3600e9)); err != nil {
		b.Fatal(err)
	}
	n := int64(0)
	for _, changed := range []int{4, 1} { // of four tweets
		b.Run(fmt.Sprintf("changed=%d%%", 25*changed), func(b *testing.B) {
			var used cost
			for b.Loop() {
				n++
				e.clock.advance(120e9)
				if _, err := e.ForceDue(b.Context(), store.DueFilter{IncludeCold: true}); err != nil {
					b.Fatal(err)
				}
				batches := e.claimIn(b, 300).Batches
				e.exec(b, `checkpoint`)
				before := e.serverCost(b)
				for _, batch := range batches {
					work := e.found(batch, n)
					for i := range work.Results {
						if i%4 >= changed {
							work.Results[i].Observation.Metrics = likes(1)
						}
					}
					if _, err := s.Apply(b.Context(), work); err != nil {
						b.Fatal(err)
					}
				}
				after := e.serverCost(b)
				used.cpu, used.wal = used.cpu+after.cpu-before.cpu, used.wal+after.wal-before.wal
			}
			total := float64(b.N) * tweets
			b.ReportMetric(used.cpu/total*1e5, "cpu-s/100k")
			b.ReportMetric(float64(used.wal)/total, "WAL-B/tweet")
		})
	}
}
