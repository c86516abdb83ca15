package scale

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gorgone/internal/failure"
)

// Result is what was measured at one size.
type Result struct {
	Tracked int       `json:"tracked"`
	Live    int       `json:"live"`
	Due     int       `json:"due"`    // of Live, when 1% of Tracked are
	Points  int       `json:"points"` // of history
	Each    float64   `json:"points_each"`
	Now     time.Time `json:"now"` // engine time of all that is measured

	DatabaseBytes int64              `json:"database_bytes"`
	Seconds       map[string]float64 `json:"stage_seconds"` // of the stages that are done
	Figures       []Figure           `json:"figures"`

	path string
}

// Figure is what one thing cost.
type Figure struct {
	Name string `json:"name"`

	// Of what was done several times, in milliseconds.
	Runs int     `json:"runs,omitempty"`
	P50  float64 `json:"p50_ms,omitempty"`
	P95  float64 `json:"p95_ms,omitempty"`
	P99  float64 `json:"p99_ms,omitempty"`

	// Rows are those that one run reads from tables and indexes, for each of Items; Whole
	// tells that it reads a large table from end to end.
	Rows  float64 `json:"rows,omitempty"`
	Items int     `json:"items,omitempty"`
	Whole bool    `json:"whole_table,omitempty"`

	// Of anything else.
	Value float64 `json:"value,omitempty"`
	Unit  string  `json:"unit,omitempty"`

	Kind   Kind   `json:"kind"`
	Failed string `json:"failed,omitempty"` // why it has no figure
}

// Kind says what a figure may grow with.
type Kind string

// The kinds.
const (
	Hot    Kind = "hot"    // of each look-up: grows with nothing
	Page   Kind = "page"   // of each page that people open: grows with nothing
	Live   Kind = "live"   // grows with what is live or due
	All    Kind = "all"    // orders or searches all that is tracked, or posted in its time
	Upkeep Kind = "upkeep" // rare: may grow with everything
)

// openResult reads the result of an earlier run, or begins one.
func openResult(path string, tracked int, points float64) (*Result, error) {
	r, err := readResult(path)
	if errors.Is(err, os.ErrNotExist) {
		day := time.Now().UTC().Truncate(24 * time.Hour)
		return &Result{Tracked: tracked, Each: points, Now: day.Add(12 * time.Hour), Seconds: map[string]float64{}, path: path}, nil
	}
	if err != nil {
		return nil, err
	}
	if r.Each != points {
		return nil, failure.Usagef("%s is of %g points a tweet: give --points %g, or another --dir", path, r.Each, r.Each)
	}
	return r, nil
}

func readResult(path string) (*Result, error) {
	text, err := os.ReadFile(path) // #nosec G304 -- in the user's own folder
	if err != nil {
		return nil, err
	}
	r := &Result{path: path}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("read %s, which an earlier run has left (remove it and the folder beside it to begin again): %w", path, err)
	}
	return r, nil
}

// readResults reads all results in a folder, the smallest first.
func readResults(dir string) ([]*Result, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var list []*Result
	for _, path := range paths {
		r, err := readResult(path)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *Result) int { return cmp.Compare(a.Tracked, b.Tracked) })
	return list, nil
}

func (r *Result) has(stage string) bool { _, ok := r.Seconds[stage]; return ok }

// add adds a figure, in place of one of that name.
func (r *Result) add(f Figure) {
	r.Figures = append(slices.DeleteFunc(r.Figures, func(o Figure) bool { return o.Name == f.Name }), f)
}

func (r *Result) figure(name string) (Figure, bool) {
	i := slices.IndexFunc(r.Figures, func(f Figure) bool { return f.Name == name })
	if i < 0 {
		return Figure{}, false
	}
	return r.Figures[i], true
}

// done records a stage, durably.
func (r *Result) done(stage string, took time.Duration) error {
	r.Seconds[stage] = took.Seconds()
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("record the stage: %w", err)
	}
	if err := os.Rename(r.path+".new", r.path); err != nil {
		return fmt.Errorf("record the stage: %w", err)
	}
	return nil
}
