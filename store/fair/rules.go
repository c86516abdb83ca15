package fair

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Rules say by what weights zones share a claim, and what each may have of it at most. Nil
// is the same for all, and no bound.
type Rules struct {
	Zones  map[uuid.UUID]Rule // those that differ from [Free]
	Groups map[uuid.UUID]Rule // of zones that share a bound or a weight
}

// Rule is what a zone or a group may have of a claim.
type Rule struct {
	// Weight says how many equals it counts for. Of a group 0 means that its zones count for
	// themselves; else they share what the group gets by their weights.
	Weight float64
	Most   int       // rows at most; at least 0
	Group  uuid.UUID // of a zone; the zero id: none
}

// Free is the rule of a zone that no other is set for.
func Free() Rule { return Rule{Weight: 1, Most: math.MaxInt} }

func (r *Rules) zone(id uuid.UUID) Rule {
	if r != nil {
		if rule, ok := r.Zones[id]; ok {
			return rule
		}
	}
	return Free()
}

func (r *Rules) group(id uuid.UUID) Rule {
	if r != nil && id != uuid.Nil {
		if rule, ok := r.Groups[id]; ok {
			return rule
		}
	}
	return Rule{Most: math.MaxInt}
}

// Open returns those of zones that may have anything.
func (r *Rules) Open(zones []uuid.UUID) []uuid.UUID {
	if r == nil {
		return zones
	}
	return slices.DeleteFunc(slices.Clone(zones), func(id uuid.UUID) bool {
		rule := r.zone(id)
		return min(rule.Most, r.group(rule.Group).Most) <= 0
	})
}

// part is one of those that share an amount.
type part struct{ weight, most float64 }

// level is how much those who do not get all they want get for each unit of weight, when an
// amount is shared by weights and none gets more than its most; infinity when it is enough
// for all.
func level(amount float64, parts []part) float64 {
	weight := 0.0
	for _, p := range parts {
		weight += p.weight
	}
	byNeed := slices.SortedFunc(slices.Values(parts), func(a, b part) int {
		switch x, y := a.most/a.weight, b.most/b.weight; {
		case x < y:
			return -1
		case x > y:
			return 1
		default:
			return 0
		}
	})
	for _, p := range byNeed {
		if p.most*weight > amount*p.weight {
			return max(amount, 0) / weight
		}
		amount, weight = amount-p.most, weight-p.weight
	}
	return math.Inf(1)
}

// shares returns how much of want each zone gets, in the order of zones, when none can use
// more than most says of it: max-min fairness by weight, first among the groups that have
// one and all other zones, and then within each group. What one does not use others get.
func (r *Rules) shares(want int, zones []uuid.UUID, most []float64) []float64 {
	var (
		members = make(map[uuid.UUID][]int)
		got     = make([]float64, len(zones))
		weights = make([]float64, len(zones))
		parts   = make([]part, 0, len(zones))
		of      = make([][]int, 0, len(zones)) // the zones of each part
	)
	for i, id := range zones {
		rule := r.zone(id)
		weights[i], got[i] = rule.Weight, min(most[i], float64(rule.Most))
		if rule.Group != uuid.Nil {
			members[rule.Group] = append(members[rule.Group], i)
			continue
		}
		parts, of = append(parts, part{rule.Weight, got[i]}), append(of, []int{i})
	}
	within := func(amount float64, among []int) (sum float64) {
		if len(among) == 1 {
			got[among[0]] = min(got[among[0]], amount)
			return got[among[0]]
		}
		own := make([]part, len(among))
		for j, i := range among {
			own[j] = part{weights[i], got[i]}
		}
		each := level(amount, own)
		for _, i := range among {
			got[i] = min(got[i], each*weights[i])
			sum += got[i]
		}
		return sum
	}
	for id, among := range members {
		rule := r.group(id)
		sum := within(float64(rule.Most), among)
		if rule.Weight > 0 {
			parts, of = append(parts, part{rule.Weight, sum}), append(of, among)
			continue
		}
		for _, i := range among {
			parts, of = append(parts, part{weights[i], got[i]}), append(of, []int{i})
		}
	}
	each := level(float64(want), parts)
	for j, p := range parts {
		within(min(p.most, each*p.weight), of[j])
	}
	return got
}

// turn is the place of a zone among equals in a claim, from 0 to 1: another one each time,
// so that no zone always comes last when there are more zones than may be claimed.
func turn(zone uuid.UUID, now time.Time) float64 {
	h := fnv.New64a()
	_, _ = h.Write(binary.BigEndian.AppendUint64(zone[:], uint64(now.UnixNano()))) // hashes never fail
	return float64(h.Sum64()>>11) / (1 << 53)
}
