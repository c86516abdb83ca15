package adopt_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gorgone/internal/testkit"
)

// shell is one shell in which everything on the page is typed.
type shell struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

func (p *project) startShell() *shell {
	t := p.t
	t.Helper()
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "gorgone"), "../../cmd/gorgone")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "bash")
	cmd.Dir = t.TempDir()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "TWITTER_API_URL="+p.api, "GORGONE_DISPATCH_EVERY=1s",
		"GORGONE_WEB_LISTEN=127.0.0.1:0", "GORGONE_LOG_LEVEL=warn")
	in, err := cmd.StdinPipe()
	testkit.Must(t, err)
	out, err := cmd.StdoutPipe()
	testkit.Must(t, err)
	log, err := os.Create(filepath.Join(cmd.Dir, "log"))
	testkit.Must(t, err)
	cmd.Stderr = log
	testkit.Must(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if text, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("what was written beside:\n%s", text)
		}
		_ = log.Close()
	})
	return &shell{t: t, in: in, out: bufio.NewReader(out)}
}

var errStatus = errors.New("a command failed")

// try types commands, one a line, until one fails, and returns what they print.
func (s *shell) try(text string) (string, error) {
	s.t.Helper()
	var printed strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		both := "2>&1"
		if strings.HasSuffix(line, "&") {
			both = "" // it goes on
		}
		const end = "--status "
		_, err := fmt.Fprintf(s.in, "{ %s\n} %s; echo '%s'$?\n", line, both, end)
		testkit.Must(s.t, err)
		for {
			out, err := s.out.ReadString('\n')
			if err != nil {
				s.t.Fatalf("the shell ended: %v\n%s", err, printed.String())
			}
			if status, found := strings.CutPrefix(out, end); found {
				if strings.TrimSpace(status) != "0" {
					return printed.String(), errStatus
				}
				break
			}
			printed.WriteString(out)
		}
	}
	return printed.String(), nil
}

// run types commands, which must succeed.
func (s *shell) run(text string) {
	s.t.Helper()
	out, err := s.try(text)
	if err != nil {
		s.t.Fatalf("%v:\n%s\n%s", err, text, out)
	}
	s.t.Logf("$ %s\n%s", text, out)
}
