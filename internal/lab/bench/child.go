package bench

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/internal/config"
	"gorgone/internal/lab/proc"
)

// child is a command of the gorgone binary in a process of its own.
type child struct {
	name string
	cmd  *exec.Cmd
	wait conc.WaitGroup

	stopping atomic.Bool
	peak     int64 // bytes of memory, once it is stopped
	err      error // of the process; set when wait is over
}

// start starts a command. When it ends before it is stopped, fail is called. What it
// prints goes to out, which may be nil.
func (b *bench) start(ctx context.Context, fail context.CancelCauseFunc, out io.Writer, env []string, args ...string) (*child, error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), b.Program, args...) //nolint:gosec // the binary under test
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	cmd.Env = append(append(os.Environ(), "GORGONE_LOG_LEVEL=error"), env...)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	c := &child{name: args[0], cmd: cmd}
	c.wait.Go(func() {
		c.err = cmd.Wait()
		if !c.stopping.Load() {
			fail(fmt.Errorf("the %s ended early: %w", c.name, cmp.Or(c.err, errors.New("exit status 0"))))
		}
	})
	return c, nil
}

func (c *child) cpu() time.Duration { return usageOf(c.cmd.Process.Pid).own }

// stop ends the process, which must end well. It may be called again.
func (c *child) stop() error {
	if !c.stopping.Swap(true) {
		c.peak = proc.PeakMemory(c.cmd.Process.Pid)
		_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	}
	kill := time.AfterFunc(20*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	c.wait.Wait()
	if c.err != nil {
		return fmt.Errorf("stop the %s: %w", c.name, c.err)
	}
	return nil
}

// startProvider starts the fake provider, and enters its address into the
// configuration.
func (b *bench) startProvider(ctx context.Context) (err error) {
	printed, out := io.Pipe()
	b.provider, err = b.start(ctx, func(err error) {
		_ = out.CloseWithError(err)
		b.fail(err)
	}, out, nil, "provider", "--listen", "127.0.0.1:0", "--key", config.DemoKey, "--steady", "--idle", fmt.Sprint(b.Idle),
		"--tweets", fmt.Sprint(max(b.Tweets, b.Backlog)), "--spread", "50m", "--seed", fmt.Sprint(b.Seed),
		"--speed", fmt.Sprint(speed), "--latency", b.Latency.String())
	if err != nil {
		return err
	}
	line, err := bufio.NewReader(printed).ReadString('\n')
	if err != nil {
		return fmt.Errorf("start the fake provider: %w", err)
	}
	b.wait.Go(func() { _, _ = io.Copy(io.Discard, printed) })
	b.printed = printed
	if _, err := fmt.Sscanf(line, "fake provider at %s with", &b.cfg.Provider.URL); err != nil {
		return fmt.Errorf("find the address of the fake provider in %q: %w", line, err)
	}
	b.cfg.Provider.Key, b.cfg.Provider.Rate = config.DemoKey, b.Rate
	return nil
}

// retry calls f until it succeeds, and returns its error when ctx ends.
func retry(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil {
			return nil
		}
		if sleep(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
