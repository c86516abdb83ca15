package scale

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/internal/config"
	"gorgone/internal/devstack"
	"gorgone/internal/lab/proc"
	"gorgone/web/auth"
)

// startWithin bounds the start of a role, and its stop.
const startWithin = 3 * time.Minute

// stack is what the roles need beside the database.
type stack struct {
	nats     *devstack.Servers
	provider *provider
	cfg      config.Config
	token    string // hash of that of a service, without which web does not start
}

func (s *size) startStack(ctx context.Context) (_ *stack, err error) {
	st := &stack{cfg: s.cfg}
	if st.token, err = auth.HashToken(rand.Text() + rand.Text()); err != nil {
		return nil, err
	}
	st.cfg.Queue.URL = ""
	if st.nats, err = devstack.StartServers(ctx, &st.cfg, s.dir, s.Log); err != nil {
		return nil, err
	}
	if st.provider, err = startProvider(ctx, s.population); err != nil {
		st.nats.Close()
		return nil, err
	}
	return st, nil
}

func (st *stack) close() error {
	err := st.provider.close()
	st.nats.Close()
	return err
}

// environment is that of the roles.
func (s *size) environment(st *stack) []string {
	return append(os.Environ(),
		"DATABASE_URL="+string(s.cfg.Database.URL),
		"NATS_URL="+string(st.cfg.Queue.URL),
		"TWITTER_API_KEY="+config.DemoKey,
		"TWITTER_API_URL="+st.provider.url,
		fmt.Sprintf("TWITTER_RATE=%d", loadRate),
		"GORGONE_TIERS="+tiers,
		"GORGONE_RETENTION=0s", // what it costs is measured by itself
		"GORGONE_WEB_LISTEN=127.0.0.1:0",
		"GORGONE_WEB_TOKENS=scale:read:"+st.token,
		"GORGONE_LOG_LEVEL=error",
	)
}

// measureRoles starts each role by itself, and asks the doctor.
func (s *size) measureRoles(ctx context.Context) (err error) {
	if err := s.setClock(ctx, 0); err != nil {
		return err
	}
	st, err := s.startStack(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	for _, role := range []string{"web", "dispatcher", "worker"} {
		r, err := s.startRole(ctx, st, role)
		if err != nil {
			return err
		}
		f := Figure{Name: "start of the " + role, Kind: Upkeep, Runs: 1}
		f.times([]time.Duration{r.took})
		s.result.add(f)
		if err := r.stop(); err != nil {
			return err
		}
		s.addMemory("memory of the "+role+", idle", r)
	}
	began := time.Now()
	doctor := exec.CommandContext(ctx, s.Program, "doctor") //nolint:gosec // the binary under test
	doctor.Env = s.environment(st)
	if out, err := doctor.CombinedOutput(); err != nil {
		return fmt.Errorf("gorgone doctor: %w\n%s", err, out)
	}
	f := Figure{Name: "doctor", Kind: Upkeep, Runs: 1}
	f.times([]time.Duration{time.Since(began)})
	s.result.add(f)
	return nil
}

func (s *size) addMemory(name string, r *role) {
	if r.peak > 0 {
		s.result.add(Figure{Name: name, Kind: Hot, Value: float64(r.peak) / (1 << 20), Unit: "MiB"})
	}
}

// role is a role in a process of its own.
type role struct {
	name string
	cmd  *exec.Cmd
	wait conc.WaitGroup
	took time.Duration // from its start until it was ready
	peak int64         // bytes of memory at most, once it is stopped; 0: the system does not tell

	ended chan struct{}
	err   error // of the process, once ended
}

// startRole starts a role and waits until it is ready.
func (s *size) startRole(ctx context.Context, st *stack, name string) (*role, error) {
	monitor, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	r := &role{name: name, ended: make(chan struct{})}
	r.cmd = exec.CommandContext(context.WithoutCancel(ctx), s.Program, name) //nolint:gosec // the binary under test
	r.cmd.Env = append(s.environment(st), "GORGONE_METRICS_ADDR="+monitor)
	r.cmd.Stderr = os.Stderr
	began := time.Now()
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	r.wait.Go(func() {
		r.err = r.cmd.Wait()
		close(r.ended)
	})
	ctx, cancel := context.WithTimeoutCause(ctx, startWithin, fmt.Errorf("the %s was not ready within %s", name, startWithin))
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !isReady(ctx, monitor) {
		select {
		case <-tick.C:
		case <-r.ended:
			return nil, fmt.Errorf("the %s ended early: %w", name, r.err)
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), r.stop())
		}
	}
	r.took = time.Since(began)
	return r, nil
}

func isReady(ctx context.Context, monitor string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+monitor+"/readyz", nil)
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

// stop ends the process, which must end well.
func (r *role) stop() error {
	r.peak = proc.PeakMemory(r.cmd.Process.Pid)
	_ = r.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	kill := time.AfterFunc(startWithin, func() { _ = r.cmd.Process.Kill() })
	defer kill.Stop()
	r.wait.Wait()
	if r.err != nil {
		return fmt.Errorf("stop the %s: %w", r.name, r.err)
	}
	return nil
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
