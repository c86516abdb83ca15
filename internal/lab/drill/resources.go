package drill

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"gorgone/internal/lab/proc"
)

// fetchWithin is the time in which a page of a process must be read.
const fetchWithin = 5 * time.Second

// sample is what a process uses at one moment. Zeros where the system does not
// tell.
type sample struct {
	process    string
	pid        int
	at         time.Time
	memory     int64 // bytes of its resident set
	files      int   // open files and connections
	threads    int
	goroutines int // 0: not told
}

// samples are taken of all processes through the run.
type samples struct {
	mu         sync.Mutex
	list       []sample
	start, end []sample // at quiet moments
}

func (s *samples) take(w *world) {
	now := readSamples(w)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, now...)
}

func (s *samples) begin(ctx context.Context, w *world) {
	s.start = withGoroutines(ctx, w, readSamples(w))
}

func (s *samples) quiet(ctx context.Context, w *world) {
	s.end = withGoroutines(ctx, w, readSamples(w))
}

// withGoroutines adds what the processes themselves tell.
func withGoroutines(ctx context.Context, w *world, list []sample) []sample {
	for i := range list {
		p := w.find(list[i].process)
		if p.Monitor == "" {
			continue
		}
		page, err := proc.Fetch(ctx, fetchWithin, "http://"+p.Monitor+"/metrics")
		if err != nil {
			w.Log.Warn().Err(err).Str("process", p.Name).Msg("goroutines not counted")
			continue
		}
		for line := range strings.Lines(string(page)) {
			if _, err := fmt.Sscanf(line, "go_goroutines %d", &list[i].goroutines); err == nil {
				break
			}
		}
	}
	return list
}

func readSamples(w *world) (list []sample) {
	for _, p := range slices.Concat(w.processes, w.nodes) {
		if s, ok := readSample(p.Name, p.PID()); ok {
			list = append(list, s)
		}
	}
	return list
}

func readSample(name string, pid int) (s sample, ok bool) {
	if pid == 0 {
		return s, false
	}
	u, ok := proc.UsageOf(pid)
	return sample{process: name, pid: pid, at: time.Now(), memory: u.Memory, files: u.Files, threads: u.Threads}, ok
}

// panicsIn returns the lines of a log that tell of a panic or a data race.
func panicsIn(path string) (found []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read a log: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		for _, sign := range []string{"panic: ", "fatal error: ", "DATA RACE", `"panic`} {
			if strings.Contains(line, sign) {
				found = append(found, fmt.Sprintf("%s:%d: %.200s", path, n, line))
				break
			}
		}
	}
	return found, lines.Err()
}

// databaseConnections counts the engine's connections to Postgres.
func (w *world) databaseConnections(ctx context.Context) (n int, err error) {
	const sql = `select count(*) from pg_stat_activity where application_name like 'gorgone %' and application_name <> $1`
	if err := w.sql.QueryRow(ctx, sql, drillName).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the connections to Postgres: %w", err)
	}
	return n, nil
}

// natsConnections counts the engine's connections to NATS.
func (w *world) natsConnections(ctx context.Context) (n int, err error) {
	for _, page := range w.natsPages {
		text, err := proc.Fetch(ctx, fetchWithin, "http://"+page+"/connz")
		if err != nil {
			return 0, fmt.Errorf("count the connections to NATS: %w", err)
		}
		var page struct {
			Connections []struct {
				Name string `json:"name"`
			} `json:"connections"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return 0, fmt.Errorf("count the connections to NATS: %w", err)
		}
		for _, c := range page.Connections {
			if strings.HasPrefix(c.Name, "gorgone ") && c.Name != drillName {
				n++
			}
		}
	}
	return n, nil
}
