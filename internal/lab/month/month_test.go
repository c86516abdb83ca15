package month

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A line that rises is found through what is scattered around it, and what only scatters is
// not: neither by its last values, nor by a few that stand out.
func TestTrends(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(6, 40).Draw(t, "n")
		base := rapid.Float64Range(1, 1000).Draw(t, "base")
		slope := rapid.Float64Range(0.02, 0.2).Draw(t, "slope") * base
		values, falling, steps := make([]float64, n), make([]float64, n), make([]float64, n)
		for i := range values {
			values[i] = base + slope*float64(i)
			falling[i] = base + slope*float64(n-i)
			steps[i] = base
		}
		got := trendOf(values)
		if math.Abs(got.Growth-slope*float64(n-1)) > 1e-6*base {
			t.Errorf("growth %g, want %g", got.Growth, slope*float64(n-1))
		}
		if want := slope*float64(n-1) > growthShare*median(values); got.rises(0) != want {
			t.Errorf("rises %t, want %t: %+v", got.rises(0), want, got)
		}
		if trendOf(falling).rises(0) || trendOf(steps).rises(0) || got.rises(2*slope*float64(n)) {
			t.Error("something that does not rise rises")
		}
		steps[rapid.IntRange(0, n-1).Draw(t, "outlier")] = 1000 * base
		if trendOf(steps).rises(0) {
			t.Error("one value that stands out makes a trend")
		}
	})
	for _, values := range [][]float64{nil, {1}, {5, 4, 6, 5, 5, 6, 4, 5, 5}, {10, 12, 9, 11, 10, 12, 9, 11}} {
		if trendOf(values).rises(0) {
			t.Errorf("%v rises", values)
		}
	}
}

// A table that grows with its rows does not bloat; one that grows by itself does.
func TestBloat(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]struct {
		sizes, rows func(day float64) float64
		faults      int
	}{
		"grows with its rows": {func(d float64) float64 { return 10 * d }, func(d float64) float64 { return 1000 * d }, 0},
		"bloats":              {func(d float64) float64 { return 10 * d }, func(float64) float64 { return 1000 }, 1},
		"loses rows":          {func(float64) float64 { return 10 }, func(d float64) float64 { return 40_000 - 1000*d }, 0},
		"is small":            {func(d float64) float64 { return 0.01 * d }, func(float64) float64 { return 10 }, 0},
	} {
		r := &run{Options: Options{Days: 30}, begin: time.Unix(0, 0)}
		for d := 0.5; d < 30; d++ {
			s := sample{at: r.begin.Add(time.Duration(d * float64(day))), values: map[measure]float64{}}
			s.set("table x", bytesMiB, of.sizes(d+1))
			s.set("table x", rowCount, of.rows(d+1))
			r.samples = append(r.samples, s)
		}
		if _, faults := r.judge(); len(faults) != of.faults {
			t.Errorf("%s: %q, want %d faults", name, faults, of.faults)
		}
	}
}

func TestFlips(t *testing.T) {
	t.Parallel()
	s := statements{
		1: {text: "steady", days: []float64{100, 110, 90, 120}},
		2: {text: "flipped", days: []float64{100, 110, 5000, 120}},
		3: {text: "small", days: []float64{1, 1, 100, 1}},
	}
	if flips := s.flips(); len(flips) != 1 || flips[0].Statement != "flipped" || flips[0].Days != 1 {
		t.Errorf("%+v", flips)
	}
}

// What can not be is refused before anything is made.
func TestOptions(t *testing.T) {
	t.Parallel()
	good := Options{Days: 30, Duration: time.Hour, Live: 20_000, Dir: filepath.Join(t.TempDir(), "run"), Log: zerolog.Nop(), Out: &bytes.Buffer{}}
	for name, spoil := range map[string]func(*Options){
		"few days":     func(o *Options) { o.Days = 5 },
		"fast days":    func(o *Options) { o.Duration = time.Second },
		"few tweets":   func(o *Options) { o.Live = 1 },
		"no folder":    func(o *Options) { o.Dir = "" },
		"old folder":   func(o *Options) { o.Dir = t.TempDir() },
		"no such file": func(o *Options) { o.Dir = filepath.Join(os.DevNull, "x") },
	} {
		o := good
		spoil(&o)
		if err := Run(t.Context(), config.Config{}, o); failure.KindOf(err) != failure.Usage {
			t.Errorf("%s: %v, want an error of usage", name, err)
		}
	}
	good.Live, good.Days, good.Duration = 1_000_000, 366, 24*time.Hour
	if err := Run(t.Context(), config.Config{}, good); err == nil || !strings.Contains(err.Error(), "--live") {
		t.Errorf("%v, want an error that says what is needed, and what to do", err)
	}
	if _, err := os.Stat(good.Dir); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}
