package drill

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

// life is one process, from its start to its end.
type life struct {
	pid      int
	from, to time.Time
	expected bool // it ended because we ended it
	err      error
}

// process is a role of the engine that runs as a process of its own. When it ends
// by itself it is started again, as whatever runs it in earnest would.
type process struct {
	name, program string
	args, env     []string
	more          []string // of its environment, for a while
	dir           string
	monitor       string // address of its metrics; empty: it has none

	mu     sync.Mutex
	cmd    *exec.Cmd
	done   chan struct{}
	wanted bool // it should be running
	frozen bool
	lives  []life

	supervising sync.WaitGroup
}

// restartAfter is how long after an end of its own a process is started again.
const restartAfter = 500 * time.Millisecond

// with sets what is in the environment of the next starts, besides what always is.
func (p *process) with(env ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.more = env
}

// start starts the process, unless it runs.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted {
		return nil
	}
	p.wanted = true
	return p.launch()
}

// launch is called with the lock held.
func (p *process) launch() error {
	out, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.name, err)
	}
	defer out.Close()
	cmd := exec.Command(p.program, p.args...) //nolint:gosec,noctx // this very program, ended by us
	cmd.Dir, cmd.Env = p.dir, slices.Concat(p.env, p.more)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = childAttributes()
	done, started := make(chan struct{}), make(chan error)
	p.supervising.Go(func() {
		// The kernel ends the child with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.ended(cmd.Wait(), done)
	})
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.cmd, p.done, p.frozen = cmd, done, false
	p.lives = append(p.lives, life{pid: cmd.Process.Pid, from: time.Now()})
	return nil
}

func (p *process) logFile() string { return filepath.Join(p.dir, "logs", p.name+".log") }

// ended notes the end of the process, and starts it again if that was not intended.
func (p *process) ended(err error, done chan struct{}) {
	p.mu.Lock()
	l := &p.lives[len(p.lives)-1]
	l.to, l.err, l.expected = time.Now(), err, !p.wanted
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

// run runs the process to its end, which must be a good one.
func (p *process) run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, p.program, p.args...) //nolint:gosec // this very program
	cmd.Dir, cmd.Env = p.dir, p.env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, err, out)
	}
	return nil
}

// kill ends the process without a word, and waits until it has ended.
func (p *process) kill() {
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

// stop asks the process to end, and kills it when it does not within the time.
func (p *process) stop(within time.Duration) error {
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
		p.kill()
		return fmt.Errorf("%s did not stop within %s", p.name, within)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.lives[len(p.lives)-1].err; err != nil {
		return fmt.Errorf("%s stopped: %w", p.name, err)
	}
	return nil
}

// freeze stops the process in its tracks, and returns what lets it go on. It
// fails when it does not run.
func (p *process) freeze() (thaw func(), err error) {
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

func (p *process) isFrozen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.frozen
}

// pid returns the process's id; 0 when it does not run.
func (p *process) pid() int {
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

func (p *process) allLives() []life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]life(nil), p.lives...)
}

// wait waits for what was begun here. The process must have been stopped.
func (p *process) wait() { p.supervising.Wait() }

// sleep waits for d or until ctx ends, and reports whether it was d.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
