package month

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

const (
	// leastCalls are fewer than a day of which nothing is said.
	leastCalls = 20

	// flipTimes is how many times more blocks than in the median of its days a statement
	// reads on a day that has another plan.
	flipTimes = 5

	// flipBlocks is how many blocks a call must read then, at least.
	flipBlocks = 500
)

// statements are what each statement of the engine read, by day.
type statements map[int64]*statement

type statement struct {
	text   string
	calls  int64
	blocks int64
	days   []float64 // blocks a call, of each day with enough calls
}

// readStatements closes a day: it reads what pg_stat_statements has counted in it. What a
// statement reads for each of its rows would depend on how many there are, so calls count.
func (r *run) readStatements(ctx context.Context, keep bool) error {
	rows, err := r.sql.Query(ctx, `select queryid, left(query, 300), calls, shared_blks_hit + shared_blks_read from lab.pg_stat_statements where queryid is not null`)
	if err != nil {
		return fmt.Errorf("read the statements: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, calls, read int64
		var text string
		if err := rows.Scan(&id, &text, &calls, &read); err != nil {
			return fmt.Errorf("read the statements: %w", err)
		}
		s := r.statements[id]
		if s == nil {
			s = &statement{text: strings.Join(strings.Fields(text), " ")}
			r.statements[id] = s
		}
		if n := calls - s.calls; keep && n >= leastCalls {
			s.days = append(s.days, float64(read-s.blocks)/float64(n))
		}
		s.calls, s.blocks = calls, read
	}
	return rows.Err()
}

// flip is a statement that read far more on a day than on others.
type flip struct {
	Statement string  `json:"statement"`
	Usual     float64 `json:"usual_blocks_a_call"`
	Most      float64 `json:"most_blocks_a_call"`
	Days      int     `json:"days"` // that are like this
}

// flips lists the statements that seem to have had another plan for a day or more.
func (s statements) flips() (list []flip) {
	for _, one := range s {
		usual, n := median(one.days), 0
		for _, d := range one.days {
			if d > flipTimes*usual && d > flipBlocks {
				n++
			}
		}
		if n > 0 {
			list = append(list, flip{Statement: one.text, Usual: usual, Most: slices.Max(one.days), Days: n})
		}
	}
	slices.SortFunc(list, func(a, b flip) int { return cmp.Compare(b.Most, a.Most) })
	return list
}
