package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc/pool"

	"gorgone/queue"
)

// askForRefreshes asks for refreshes at an even pace over the run, and returns
// how long each took from the request to its answer.
func (b *benchRun) askForRefreshes(ctx context.Context) (latencies []time.Duration, unanswered int, err error) {
	random := rand.New(rand.NewPCG(b.o.seed, 1))
	every := time.NewTicker(b.o.duration / time.Duration(b.o.refreshes))
	defer every.Stop()
	answers := pool.NewWithResults[time.Duration]().WithErrors()
	for range b.o.refreshes {
		select {
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		case <-every.C:
		}
		id := b.ids[random.IntN(len(b.ids))]
		answers.Go(func() (time.Duration, error) { return b.askForRefresh(ctx, id) })
	}
	all, err := answers.Wait()
	if err != nil {
		return nil, 0, err
	}
	for _, l := range all {
		if l == 0 {
			unanswered++
			continue
		}
		latencies = append(latencies, l)
	}
	slices.Sort(latencies)
	return latencies, unanswered, nil
}

// askForRefresh returns how long the answer took, 0 when none came in time.
func (b *benchRun) askForRefresh(ctx context.Context, id string) (time.Duration, error) {
	started := time.Now()
	results, stop, err := b.queue.WatchDone(ctx, id)
	if err != nil {
		return 0, err
	}
	defer stop()
	now := b.clock.Now()
	_, err = b.queue.PublishRefresh(ctx, queue.Refresh{
		RequestID: uuid.New(), TweetID: id, RequestedAt: now, Deadline: now.Add(b.clock.Engine(10 * time.Second)),
	})
	if err != nil {
		return 0, err
	}
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case <-results:
		return time.Since(started), nil
	case <-timer.C:
		return 0, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// child starts a role of this binary in a process of its own.
func (b *benchRun) child(ctx context.Context, role string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, role) //nolint:gosec // this very program
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(),
		"DATABASE_URL="+string(b.cfg.Database.URL),
		"NATS_URL="+string(b.cfg.Queue.URL),
		"TWITTER_API_KEY="+demoKey,
		"TWITTER_API_URL="+b.cfg.Provider.URL,
		fmt.Sprintf("TWITTER_RATE=%g", b.o.rate),
		"GORGONE_TIERS="+benchTiers,
		fmt.Sprintf("GORGONE_DB_MAX_CONNS=%d", b.cfg.Database.MaxConns),
		"GORGONE_LOG_LEVEL=error",
	)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	return cmd, nil
}

// stopChild ends a child and returns the most memory it used, in bytes; 0 where
// the system does not tell.
func stopChild(cmd *exec.Cmd) int64 {
	peak := peakMemory(cmd.Process.Pid)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait() // what matters of it was measured
	return peak
}

// peakMemory is the largest resident set that a process had, from Linux's
// /proc. What wait4 returns is of no use: it begins with the parent's.
func peakMemory(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kib int64
			if _, err := fmt.Sscanf(rest, "%d kB", &kib); err == nil {
				return kib << 10
			}
		}
	}
	return 0
}
