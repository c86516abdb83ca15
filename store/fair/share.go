package fair

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

// shareRounds bounds how often a claim shares out what zones with little due left over.
// What is not shared out by then waits for the next claim.
const shareRounds = 8

// Share locks up to want due rows so that no zone waits for another: each zone with
// something due gets an equal share, or one by the rules, and what a zone does not need, or
// may not have, goes to the others (max-min fairness). The rows are in due order; more tells
// that due rows were left that could have been had.
func Share(ctx context.Context, t *postgres.Tx, now time.Time, zones []uuid.UUID, want int, rules *Rules) (rows []Row, more bool, err error) {
	d := newDivision(zones, want, rules)
	for range shareRounds {
		ask, limits := d.next()
		if len(ask) == 0 {
			break
		}
		var found []Row
		b := t.Group()
		b.Queue(SelectDue, now, ask, limits).Query(postgres.Collect(&found, func(r pgx.CollectableRow) (d Row, err error) {
			return d, r.Scan(&d.ID, &d.Zone, &d.Due, &d.Prior.Observed, &d.Prior.InDoubt)
		}))
		if err := t.Send(ctx, b); err != nil {
			return nil, false, fmt.Errorf("select due rows: %w", err)
		}
		d.found(ask, found)
	}
	rows, more = d.divide(now)
	slices.SortStableFunc(rows, func(a, b Row) int { return a.Due.Compare(b.Due) })
	return rows, more, nil
}

// division is a number of rows that is being shared out. How many rows a zone has is known
// only when it has been asked for more.
type division struct {
	zones []uuid.UUID
	want  int
	rules *Rules

	most  []float64 // that each zone can use; infinity: not known
	asked []int
	rows  map[uuid.UUID][]Row // found
}

func newDivision(zones []uuid.UUID, want int, rules *Rules) *division {
	d := &division{zones: zones, want: want, rules: rules, most: make([]float64, len(zones)), asked: make([]int, len(zones)), rows: make(map[uuid.UUID][]Row, len(zones))}
	for i := range d.most {
		d.most[i] = math.Inf(1)
	}
	return d
}

// next returns which zones to ask for how many rows: their shares, rounded up, by what is
// known. None is left when each zone was asked for all of its share.
func (d *division) next() (ask []uuid.UUID, limits []int) {
	if d.want <= 0 {
		return nil, nil
	}
	for i, share := range d.rules.shares(d.want, d.zones, d.most) {
		limit := int(math.Ceil(share - 1e-9))
		if limit > d.asked[i] && float64(len(d.rows[d.zones[i]])) < d.most[i] {
			d.asked[i] = limit
			ask, limits = append(ask, d.zones[i]), append(limits, limit)
		}
	}
	return ask, limits
}

// found takes what zones that were asked have. A further round finds the rows of the one
// before again, which its transaction has locked.
func (d *division) found(asked []uuid.UUID, rows []Row) {
	for _, zone := range asked {
		d.rows[zone] = d.rows[zone][:0]
	}
	for _, r := range rows {
		d.rows[r.Zone] = append(d.rows[r.Zone], r)
	}
	for i, zone := range d.zones {
		if n := len(d.rows[zone]); n < d.asked[i] {
			d.most[i] = float64(n)
		}
	}
}

// place is where a row stands among all that were found: those with the least keys are
// taken.
type place struct {
	key   float64
	group uuid.UUID
	row   Row
}

// divide takes no more rows than are wanted and the rules allow. Shares were rounded up, and
// a zone's turn says whether it gets the row that its share is a part of: over many claims
// each gets just its share.
func (d *division) divide(now time.Time) (rows []Row, more bool) {
	var all []place
	byGroup := make(map[uuid.UUID][]place)
	for _, zone := range d.zones {
		rule, begins := d.rules.zone(zone), turn(zone, now)
		weighed := d.rules.group(rule.Group).Weight > 0
		for rank, r := range d.rows[zone] {
			p := place{key: (float64(rank) + begins) / rule.Weight, group: rule.Group, row: r}
			if weighed {
				byGroup[rule.Group] = append(byGroup[rule.Group], p)
			} else {
				all = append(all, p)
			}
		}
	}
	byKey := func(a, b place) int { return cmp.Compare(a.key, b.key) }
	for id, own := range byGroup {
		slices.SortFunc(own, byKey)
		for i := range own {
			own[i].key = (float64(i) + turn(id, now)) / d.rules.group(id).Weight
		}
		all = append(all, own...)
	}
	slices.SortFunc(all, byKey)
	taken, ofGroup := make(map[uuid.UUID]int, len(d.zones)), make(map[uuid.UUID]int)
	may := func(zone, group uuid.UUID) bool {
		return taken[zone] < d.rules.zone(zone).Most && ofGroup[group] < d.rules.group(group).Most
	}
	for _, p := range all {
		switch {
		case !may(p.row.Zone, p.group):
		case len(rows) == d.want:
			return rows, true
		default:
			rows = append(rows, p.row)
			taken[p.row.Zone]++
			ofGroup[p.group]++
		}
	}
	for i, zone := range d.zones {
		if math.IsInf(d.most[i], 1) && may(zone, d.rules.zone(zone).Group) {
			return rows, true
		}
	}
	return rows, false
}
