package scale

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

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
		f.times([]time.Duration{r.Took})
		s.result.add(f)
		if err := r.Stop(); err != nil {
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

func (s *size) addMemory(name string, r *proc.Role) {
	if r.Peak > 0 {
		s.result.add(Figure{Name: name, Kind: Hot, Value: float64(r.Peak) / (1 << 20), Unit: "MiB"})
	}
}

// startRole starts a role and waits until it is ready.
func (s *size) startRole(ctx context.Context, st *stack, name string) (*proc.Role, error) {
	monitor, err := proc.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	return proc.Start(ctx, proc.Program{
		Path: s.Program, Args: []string{name}, Env: append(s.environment(st), "GORGONE_METRICS_ADDR="+monitor), Log: os.Stderr,
		Ready: "http://" + monitor + "/readyz", Within: startWithin,
	})
}
