package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in Linux's /proc, whatever the kernel's own.
const tick = time.Second / 100

// usage is the processor time of a process, from /proc. Zeros where the system does not
// tell.
type usage struct {
	parent int
	own    time.Duration
	reaped time.Duration // of children that have ended
}

func usageOf(pid int) (u usage) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u
	}
	// The second field is the program's name, in brackets, and may hold anything.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 15 {
		return u
	}
	number := func(i int) time.Duration {
		n, _ := strconv.ParseInt(string(fields[i]), 10, 64)
		return time.Duration(n)
	}
	u.parent = int(number(1))
	u.own = (number(11) + number(12)) * tick
	u.reaped = (number(13) + number(14)) * tick
	return u
}

// cpuOfServer is the processor time of a Postgres server, all its processes together.
func cpuOfServer(postmaster int) time.Duration {
	var sum time.Duration
	processes, _ := filepath.Glob("/proc/[0-9]*") // its pattern is good
	for _, p := range processes {
		pid, err := strconv.Atoi(filepath.Base(p))
		if err != nil {
			continue
		}
		if u := usageOf(pid); u.parent == postmaster {
			sum += u.own
		}
	}
	u := usageOf(postmaster)
	return sum + u.own + u.reaped
}

// allocations reads from its metrics how many objects a process has allocated.
func allocations(ctx context.Context, monitor string) (float64, error) {
	body, err := get(ctx, "http://"+monitor+"/metrics")
	if err != nil {
		return 0, err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "go_memstats_mallocs_total "); ok {
			return strconv.ParseFloat(text, 64)
		}
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	return 0, fmt.Errorf("the metrics at %s do not tell the allocations", monitor)
}

// get reads a page of a process of the run; any status but 200 is an error.
func get(ctx context.Context, url string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("get %s: status %d", url, resp.StatusCode)
	}
	return resp.Body, nil
}
