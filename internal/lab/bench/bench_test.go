package bench

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	var sorted []time.Duration
	for i := range 200 {
		sorted = append(sorted, time.Duration(i+1)*time.Millisecond)
	}
	for p, want := range map[int]int{50: 100, 95: 190, 99: 198, 100: 200} {
		if got := percentile(sorted, p); got != time.Duration(want)*time.Millisecond {
			t.Errorf("p%s is %s, want %d ms", strconv.Itoa(p), got, want)
		}
	}
	if got := percentile(nil, 99); got != 0 {
		t.Errorf("p99 of nothing is %s", got)
	}
}

// TestTurns cuts what a server sends into any pieces: the messages that say that it is
// ready are counted all the same, and none that only look so.
func TestTurns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want int64
		for _, kind := range rapid.SliceOfN(rapid.SampledFrom([]byte("ZDTC1")), 0, 20).Draw(t, "messages") {
			body := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'Z', 5}), 0, 9).Draw(t, "body")
			if kind == 'Z' {
				body = []byte("I")
				want++
			}
			stream = append(stream, kind)
			stream = binary.BigEndian.AppendUint32(stream, uint32(len(body)+4))
			stream = append(stream, body...)
		}
		var turns turns
		var got int64
		for len(stream) > 0 {
			n := rapid.IntRange(1, len(stream)).Draw(t, "piece")
			got += turns.count(stream[:n])
			stream = stream[n:]
		}
		if got != want {
			t.Errorf("%d round trips, want %d", got, want)
		}
	})
}

func TestBaseline(t *testing.T) {
	t.Parallel()
	base := counters{WAL: 1000, Wire: 300, RoundTrips: 0.02, Allocations: 50}
	for name, tt := range map[string]struct {
		got  counters
		want string // in the error; "": none
	}{
		"the same":          {base, ""},
		"a tenth more":      {counters{1100, 330, 0.022, 55}, ""},
		"less":              {counters{1, 1, 0.001, 1}, ""},
		"more WAL":          {counters{1101, 300, 0.02, 50}, "WAL"},
		"more bytes":        {counters{1000, 331, 0.02, 50}, "wire"},
		"more round trips":  {counters{1000, 300, 0.0221, 50}, "round trips"},
		"more allocations":  {counters{1000, 300, 0.02, 56}, "allocations"},
		"not measured once": {counters{1000, 0, 0.02, 50}, "wire"},
	} {
		err := tt.got.within(base)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, tt.want)
		}
	}
}

func TestReadCounters(t *testing.T) {
	t.Parallel()
	const good = `{"wal_bytes": 1, "wire_bytes": 2, "round_trips": 0.5, "allocations": 4}`
	for text, want := range map[string]counters{
		good: {1, 2, 0.5, 4},
		`{"wal_bytes": 1, "wire_bytes": 2, "round_trips": 0.5}`:         {},
		strings.Replace(good, "wal_bytes", "wal_byte", 1):               {},
		strings.Replace(good, `"wire_bytes": 2`, `"wire_bytes": -1`, 1): {},
	} {
		path := filepath.Join(t.TempDir(), "baseline.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readCounters(path)
		if (err == nil) != (want != counters{}) || err == nil && got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}
