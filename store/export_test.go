package store

import (
	"time"

	"github.com/google/uuid"
)

// Statement is one of the statements that run all the time, and arguments for it.
type Statement struct {
	Name string
	SQL  string
	Args []any
}

// HotStatements returns the statements that claim and apply a batch, as they
// read: for rows and tweets that are due at now.
func HotStatements(now time.Time, rows, zones []uuid.UUID, tweets []string) []Statement {
	return []Statement{
		{"claim: due rows without a zone", selectHomeless, []any{now, adoptChunk}},
		{"claim: due zones", selectDueZones, []any{now}},
		{"claim: due rows", selectDue, []any{now, zones, 2000}},
		{"claim: all rows of their tweets", selectRowsOf, []any{rows}},
		{"claim: other rows of the tweets", lockSiblings, []any{rows, now}},
		{"claim: what is outstanding", selectOutstanding, []any{now, now.Add(-time.Minute)}},
		{"apply: lock tracking rows", lockClaimed, []any{rows, rows[0]}},
		{"apply: lock tweets", lockNamed, []any{rows}},
		{"refresh: lock tracking rows", lockActive, []any{tweets}},
		{"refresh: lock tweets", lockTweetIDs, []any{tweets}},
		{"refresh: how tweets stand", selectStandings, []any{tweets}},
		{"track: what authors got", selectAuthors, []any{zones[0], rows}},
		{"alerts: stalled rows", selectStalled, []any{zones, []time.Time{now.Add(-time.Hour), now.Add(-time.Hour)}, manyStalled}},
		{"controls: live rows", controlLive, []any{tweets, 3, controlCandidates}},
		{"controls: collected rows", controlCollected, []any{tweets, 3, controlCandidates}},
	}
}
