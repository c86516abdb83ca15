package engagement

import "time"

// Gap is a stretch in which not all the counters of the total engagement could be read.
// Those keep their values, so what they gained meanwhile shows all at once when they can be
// read again. It was not gained since the snapshot before, though: velocities are over the
// time between two snapshots of which both have what is compared.
type Gap struct {
	Since time.Time `json:"since"`          // the last snapshot in which all could be read
	Total int64     `json:"total"`          // the engagement then
	Until time.Time `json:"until,omitzero"` // the last snapshot in which one could be read again; zero: none yet

	// Absent are the counters that the last snapshot has from before, a bit each, by
	// [Counter].
	Absent uint8 `json:"absent,omitempty"`
}

// covers reports whether the counts of a snapshot made at a time are older than that, in
// comparison with later ones.
func (g Gap) covers(at time.Time) bool { return at.After(g.Since) && at.Before(g.Until) }

// reference returns the snapshot to compare with in place of one that the gap covers.
func (g Gap) reference(r Reference) Reference {
	if !r.At.IsZero() && g.covers(r.At) {
		r.At, r.Total = g.Since, g.Total
	}
	return r
}

// after returns the gap as of a snapshot of the given counts, whose reading lacks some
// counters, and whether it has some again that the snapshot before lacked.
func (g Gap) after(prev Tracking, counts Metrics, absent uint8, at time.Time) (next Gap, again bool) {
	if next, again = g.follow(prev, absent, at); next == (Gap{}) {
		return next, again
	}
	for _, c := range Counters() {
		if c <= Quotes && !prev.Snapshot.Of(c).Known() {
			next.Total += counts.Of(c).Value() // known for the first time, which is no gain
		}
	}
	return next, again
}

func (g Gap) follow(prev Tracking, absent uint8, at time.Time) (next Gap, again bool) {
	again = g.Absent&^absent != 0
	over := g.Absent == 0 && at.Sub(g.Until) > MaxAlertWindow
	switch {
	case over && absent == 0:
		return Gap{}, false
	case over:
		return Gap{Since: prev.SnapshotAt, Total: prev.Snapshot.Total(), Absent: absent}, false
	case again:
		g.Until = at
	}
	g.Absent = absent
	return g, again
}

// absent returns the counters of the total engagement that a reading lacks and that were
// known before.
func absent(reading, before Metrics) (bits uint8) {
	for _, c := range Counters() {
		if c <= Quotes && !reading.Of(c).Known() && before.Of(c).Known() {
			bits |= 1 << c
		}
	}
	return bits
}
