package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// logTailSize is how much of the server's log an error shows.
const logTailSize = 2 << 10

// process is a running server process. One goroutine waits for it.
type process struct {
	cmd     *exec.Cmd
	logFile string
	done    chan struct{}
	err     error // from Wait; read after done
}

// startProcess has a program started as the owner, with its output in logFile.
func startProcess(o owner, start func(*exec.Cmd) error, logFile, program string, args ...string) (*process, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) // #nosec G304 -- our own folder
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	defer out.Close()
	cmd := exec.Command(program, args...) // #nosec G204 //nolint:noctx // ended by Stop
	o.command(cmd)
	dieWithParent(cmd.SysProcAttr)
	cmd.Stdout, cmd.Stderr = out, out

	p := &process{cmd: cmd, logFile: logFile, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(p.done)
		// The kernel signals the child when the thread that started it ends,
		// not the process, so that thread is kept until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := start(cmd); err != nil {
			started <- err
			return
		}
		started <- nil
		p.err = cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("run %s: %w", program, err)
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

func (p *process) exited() bool { return p.waitFor(0) }

// waitFor waits for the process to end, and reports whether it did in time.
func (p *process) waitFor(limit time.Duration) bool {
	if limit <= 0 {
		select {
		case <-p.done:
			return true
		default:
			return false
		}
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// waitError says how the process ended.
func (p *process) waitError() error {
	<-p.done
	if p.err == nil {
		return errors.New("exit status 0")
	}
	return p.err
}

// logTail returns the end of the server's log.
func (p *process) logTail() string {
	text, err := os.ReadFile(p.logFile)
	if err != nil {
		return err.Error()
	}
	return string(text[max(len(text)-logTailSize, 0):])
}
