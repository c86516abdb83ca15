// Package supervise runs processes that are killed, frozen and started again.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Life is one process, from its start to its end.
type Life struct {
	PID      int
	From, To time.Time
	Expected bool // it ended because we ended it
	Err      error
}

// Process is a program that runs as a process of its own. When it ends by itself it is
// started again, as whatever runs it in earnest would.
type Process struct {
	Name, Program string
	Args, Env     []string
	Dir           string                // where it runs, and in logs of which its log is
	Monitor       string                // address of its metrics; empty: it has none
	Begin         func(*exec.Cmd) error // starts it where it runs

	more []string // of its environment, for a while

	mu     sync.Mutex
	cmd    *exec.Cmd
	done   chan struct{}
	wanted bool // it should be running
	frozen bool
	lives  []Life

	supervising sync.WaitGroup
}

// restartAfter is how long after an end of its own a process is started again.
const restartAfter = 500 * time.Millisecond

// With sets what is in the environment of the next starts, besides what always is.
func (p *Process) With(env ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.more = env
}

// Start starts the process, unless it runs.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted {
		return nil
	}
	p.wanted = true
	return p.launch()
}

// launch is called with the lock held.
func (p *Process) launch() error {
	out, err := os.OpenFile(p.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.Name, err)
	}
	defer out.Close()
	cmd := exec.Command(p.Program, p.Args...) //nolint:gosec,noctx // this very program, ended by us
	cmd.Dir, cmd.Env = p.Dir, slices.Concat(p.Env, p.more)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = childAttributes()
	done, started := make(chan struct{}), make(chan error)
	p.supervising.Go(func() {
		// The kernel ends the child with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.Begin(cmd)
		started <- err
		if err != nil {
			return
		}
		p.ended(cmd.Wait(), done)
	})
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.cmd, p.done, p.frozen = cmd, done, false
	p.lives = append(p.lives, Life{PID: cmd.Process.Pid, From: time.Now()})
	return nil
}

// LogFile is where all its lives log.
func (p *Process) LogFile() string { return filepath.Join(p.Dir, "logs", p.Name+".log") }

// ended notes the end of the process, and starts it again if that was not intended.
func (p *Process) ended(err error, done chan struct{}) {
	p.mu.Lock()
	l := &p.lives[len(p.lives)-1]
	l.To, l.Err, l.Expected = time.Now(), err, !p.wanted
	close(done)
	again := p.wanted
	p.mu.Unlock()
	if !again {
		return
	}
	p.supervising.Go(func() {
		timer := time.NewTimer(restartAfter)
		defer timer.Stop()
		<-timer.C
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.wanted && p.done == done {
			_ = p.launch() // it worked before; else the checks find the process missing
		}
	})
}

// Run runs the process to its end, which must be a good one.
func (p *Process) Run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, p.Program, p.Args...) //nolint:gosec // this very program
	cmd.Dir, cmd.Env = p.Dir, p.Env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.Name, err, out)
	}
	return nil
}

// Kill ends the process without a word, and waits until it has ended.
func (p *Process) Kill() {
	p.mu.Lock()
	p.wanted = false
	cmd, done := p.cmd, p.done
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Kill() // it may have ended by itself
	<-done
}

// Stop asks the process to end, and kills it when it does not within the time.
func (p *Process) Stop(within time.Duration) error {
	p.mu.Lock()
	p.wanted = false
	cmd, done := p.cmd, p.done
	p.mu.Unlock()
	if cmd == nil {
		return nil
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("%s did not stop within %s", p.Name, within)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.lives[len(p.lives)-1].Err; err != nil {
		return fmt.Errorf("%s stopped: %w", p.Name, err)
	}
	return nil
}

// Freeze stops the process in its tracks, and returns what lets it go on. It
// fails when it does not run.
func (p *Process) Freeze() (thaw func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || !p.wanted {
		return nil, errors.New("it does not run")
	}
	cmd := p.cmd
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return nil, err
	}
	p.frozen = true
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		_ = cmd.Process.Signal(syscall.SIGCONT) // it may have ended
		if p.cmd == cmd {
			p.frozen = false
		}
	}, nil
}

// Frozen reports whether it stands still.
func (p *Process) Frozen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.frozen
}

// PID returns the process's id; 0 when it does not run.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	select {
	case <-p.done:
		return 0
	default:
		return p.cmd.Process.Pid
	}
}

// Lives are all that it had.
func (p *Process) Lives() []Life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Life(nil), p.lives...)
}

// Wait waits for what was begun here. The process must have been stopped.
func (p *Process) Wait() { p.supervising.Wait() }
