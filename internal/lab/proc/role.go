package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"syscall"
	"time"

	"github.com/sourcegraph/conc"
)

// Program is a command of the binary under test.
type Program struct {
	Path   string
	Args   []string // the first names it
	Env    []string
	Log    io.Writer     // what it logs
	Ready  string        // address that answers 200 once it is ready
	Within time.Duration // it must be ready, and end, within this time
}

// Role is a command of the binary under test in a process of its own.
type Role struct {
	Name string
	Took time.Duration // from its start until it was ready
	Peak int64         // bytes of memory at most, once it is stopped; 0: the system does not tell

	program Program
	cmd     *exec.Cmd
	wait    conc.WaitGroup
	ended   chan struct{}
	err     error // of the process, once ended
}

// Start starts a command and waits until it is ready.
func Start(ctx context.Context, p Program) (*Role, error) {
	r := &Role{Name: p.Args[0], program: p, ended: make(chan struct{})}
	r.cmd = exec.CommandContext(context.WithoutCancel(ctx), p.Path, p.Args...) //nolint:gosec // the binary under test
	r.cmd.Env, r.cmd.Stderr, r.cmd.SysProcAttr = p.Env, p.Log, ownGroup()
	began := time.Now()
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", r.Name, err)
	}
	r.wait.Go(func() {
		r.err = r.cmd.Wait()
		close(r.ended)
	})
	ctx, cancel := context.WithTimeoutCause(ctx, p.Within, fmt.Errorf("the %s was not ready within %s", r.Name, p.Within))
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !answers(ctx, p.Ready) {
		select {
		case <-tick.C:
		case <-r.ended:
			return nil, fmt.Errorf("the %s ended early: %w", r.Name, r.err)
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), r.Stop())
		}
	}
	r.Took = time.Since(began)
	return r, nil
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// PID is the process's id.
func (r *Role) PID() int { return r.cmd.Process.Pid }

// Ended is closed when the process has ended.
func (r *Role) Ended() <-chan struct{} { return r.ended }

// Stop ends the process, which must end well.
func (r *Role) Stop() error {
	r.Peak = PeakMemory(r.PID())
	_ = r.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	kill := time.AfterFunc(r.program.Within, func() { _ = r.cmd.Process.Kill() })
	defer kill.Stop()
	r.wait.Wait()
	if r.err != nil {
		return fmt.Errorf("stop the %s: %w", r.Name, r.err)
	}
	return nil
}

// ownGroup keeps an interrupt of the terminal from a child, which is stopped in its turn.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// FreeAddress returns an address of this machine that was free a moment ago.
func FreeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Run runs a command of the binary under test to its end, which must be a good one.
func Run(ctx context.Context, path string, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // the binary under test
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", args[0], err, out)
	}
	return nil
}
