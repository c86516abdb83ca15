package fair

import (
	"math"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// world is what may be shared out: zones with so many due rows each, and the rules.
type world struct {
	zones []uuid.UUID
	due   map[uuid.UUID]int
	rules *Rules
}

func id(kind byte, n int) (u uuid.UUID) {
	u[0], u[1], u[2] = kind, byte(n), byte(n>>8)
	return u
}

func drawWorld(t *rapid.T) world {
	w := world{due: make(map[uuid.UUID]int), rules: &Rules{Zones: make(map[uuid.UUID]Rule), Groups: make(map[uuid.UUID]Rule)}}
	most := rapid.OneOf(rapid.Just(math.MaxInt), rapid.IntRange(0, 60))
	weight := rapid.SampledFrom([]float64{0.1, 0.5, 1, 1, 2, 3, 10})
	groups := rapid.IntRange(0, 4).Draw(t, "groups")
	for g := range groups {
		r := Rule{Most: most.Draw(t, "most of a group")}
		if rapid.Bool().Draw(t, "the group has a weight") {
			r.Weight = weight.Draw(t, "its weight")
		}
		w.rules.Groups[id(1, g)] = r
	}
	for z := range rapid.IntRange(1, 20).Draw(t, "zones") {
		zone := id(2, z)
		w.zones = append(w.zones, zone)
		w.due[zone] = rapid.OneOf(rapid.IntRange(0, 5), rapid.IntRange(0, 300)).Draw(t, "due")
		if rapid.Bool().Draw(t, "the zone has a rule") {
			r := Rule{Weight: weight.Draw(t, "weight"), Most: most.Draw(t, "most")}
			if g := rapid.IntRange(0, groups).Draw(t, "group"); g > 0 {
				r.Group = id(1, g-1)
			}
			w.rules.Zones[zone] = r
		}
	}
	return w
}

// ruleOf is what is set for a zone; all, for one without a rule.
func (w world) ruleOf(zone uuid.UUID) (r Rule) {
	r, ok := w.rules.Zones[zone]
	if !ok {
		return Rule{Weight: 1, Most: math.MaxInt}
	}
	return r
}

// usable is how many rows may be had from a zone, whatever others get.
func (w world) usable(zone uuid.UUID) int { return min(w.due[zone], w.ruleOf(zone).Most) }

// possible is how many rows may be had in all.
func (w world) possible() (sum int) {
	groups := make(map[uuid.UUID]int)
	for _, zone := range w.zones {
		groups[w.ruleOf(zone).Group] += w.usable(zone)
	}
	for g, n := range groups {
		if rule, ok := w.rules.Groups[g]; ok {
			n = min(n, rule.Most)
		}
		sum += n
	}
	return sum
}

// share shares rows out as a claim does, and counts by zone; asked is how often rows were
// asked for.
func (w world) share(want int, now time.Time) (got map[uuid.UUID]int, total int, more bool, asked int) {
	d := newDivision(w.zones, want, w.rules)
	for range shareRounds {
		zones, limits := d.next()
		if len(zones) == 0 {
			break
		}
		asked++
		var rows []Row
		for i, zone := range zones {
			for range min(limits[i], w.due[zone]) {
				rows = append(rows, Row{Zone: zone})
			}
		}
		d.found(zones, rows)
	}
	rows, more := d.divide(now)
	got = make(map[uuid.UUID]int)
	for _, r := range rows {
		got[r.Zone]++
	}
	return got, len(rows), more, asked
}

// TestShareKeepsToTheRulesAndWastesNothing: no zone and no group gets more than it may, and
// as many rows are taken as there can be, by counting what there is.
func TestShareKeepsToTheRulesAndWastesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		want := rapid.IntRange(0, 400).Draw(t, "want")
		got, total, more, asked := w.share(want, time.Unix(rapid.Int64Range(0, 1e9).Draw(t, "now"), 0))
		groups := make(map[uuid.UUID]int)
		for zone, n := range got {
			if n > w.usable(zone) {
				t.Fatalf("a zone got %d rows of %d that it may have", n, w.usable(zone))
			}
			groups[w.ruleOf(zone).Group] += n
		}
		for g, rule := range w.rules.Groups {
			if groups[g] > rule.Most {
				t.Fatalf("a group got %d rows of %d that it may have", groups[g], rule.Most)
			}
		}
		possible := w.possible()
		if asked < shareRounds && total != min(want, possible) {
			t.Fatalf("%d rows were taken, %d wanted, %d to be had", total, want, possible)
		}
		if asked < shareRounds && possible > want && !more && want > 0 {
			t.Fatalf("rows were left and not told of: %d taken of %d", total, possible)
		}
	})
}

// TestSharesAreMaxMinFair holds shares against what defines max-min fairness: who could use
// more gets no less for its weight than anyone it competes with, zone against zone within a
// group, and group against group.
func TestSharesAreMaxMinFair(t *testing.T) {
	t.Parallel()
	const trace = 1e-6
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		want := rapid.IntRange(1, 400).Draw(t, "want")
		most := make([]float64, len(w.zones))
		for i, zone := range w.zones {
			most[i] = float64(w.due[zone])
		}
		got := w.rules.shares(want, w.zones, most)
		// Those who compete at the top: groups with a weight, and every other zone.
		type competitor struct{ got, usable, weight float64 }
		top := make(map[uuid.UUID]competitor)
		ofGroup := make(map[uuid.UUID]float64)
		sum := 0.0
		for i, zone := range w.zones {
			sum += got[i]
			ofGroup[w.ruleOf(zone).Group] += got[i]
		}
		if math.Abs(sum-math.Min(float64(want), float64(w.possible()))) > trace {
			t.Fatalf("%g is shared out, of %d wanted and %d to be had", sum, want, w.possible())
		}
		full := func(group uuid.UUID) bool {
			rule, ok := w.rules.Groups[group]
			return ok && ofGroup[group] > float64(rule.Most)-trace
		}
		for i, zone := range w.zones {
			rule := w.ruleOf(zone)
			group := w.rules.Groups[rule.Group]
			if group.Weight > 0 {
				c := top[rule.Group]
				top[rule.Group] = competitor{c.got + got[i], math.Min(float64(group.Most), c.usable+float64(w.usable(zone))), group.Weight}
			} else {
				usable := float64(w.usable(zone))
				if full(rule.Group) {
					usable = got[i]
				}
				top[zone] = competitor{got[i], usable, rule.Weight}
			}
			for j, other := range w.zones {
				inGroup := rule.Group != uuid.Nil && w.ruleOf(other).Group == rule.Group
				if inGroup && got[i] < float64(w.usable(zone))-trace && got[j]/w.ruleOf(other).Weight > got[i]/rule.Weight+trace {
					t.Fatalf("in a group a zone has %g by weight %g while another has %g by %g", got[i], rule.Weight, got[j], w.ruleOf(other).Weight)
				}
			}
		}
		for _, a := range top {
			for _, b := range top {
				if a.got < a.usable-trace && b.got/b.weight > a.got/a.weight+trace {
					t.Fatalf("one has %g of %g by weight %g while another has %g by %g", a.got, a.usable, a.weight, b.got, b.weight)
				}
			}
		}
	})
}

// TestNoZoneStarves: over many claims, each smaller than the number of zones, every zone gets
// about its share, however heavy the others are.
func TestNoZoneStarves(t *testing.T) {
	t.Parallel()
	w := world{due: make(map[uuid.UUID]int), rules: &Rules{Zones: make(map[uuid.UUID]Rule)}}
	const zones, claims, want = 200, 1000, 50
	for z := range zones {
		zone := id(2, z)
		w.zones = append(w.zones, zone)
		w.due[zone] = 1000
	}
	w.rules.Zones[w.zones[0]] = Rule{Weight: 100, Most: math.MaxInt}
	w.rules.Zones[w.zones[1]] = Rule{Weight: 0.1, Most: math.MaxInt}
	sum := make(map[uuid.UUID]int)
	for c := range claims {
		got, total, _, _ := w.share(want, time.Unix(int64(c), 0))
		if total != want {
			t.Fatalf("%d rows were taken, want %d", total, want)
		}
		for zone, n := range got {
			sum[zone] += n
		}
	}
	for z, zone := range w.zones {
		share := claims * want * w.ruleOf(zone).Weight / (100 + 0.1 + zones - 2)
		// A share of n rows, drawn claim by claim, strays by sqrt(n); five times that is never.
		if off := math.Abs(float64(sum[zone]) - share); off > 5*math.Sqrt(share)+1 && z > 0 || sum[zone] == 0 {
			t.Errorf("zone %d got %d rows, its share is %.0f", z, sum[zone], share)
		}
	}
	if n := float64(sum[w.zones[0]]); n < 0.8*claims*want/3 || n > 1.2*claims*want/3 {
		t.Errorf("the heavy zone got %.0f of %d rows, its share is a third", n, claims*want)
	}
}
