package store

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"gorgone/store/fair"
	"gorgone/store/models"
	"gorgone/store/sweep"
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
		{"claim: due rows without a zone", fair.SelectZoneless, []any{now, fair.BackfillChunk}},
		{"claim: due zones", fair.SelectZones, []any{now}},
		{"claim: due rows", fair.SelectDue, []any{now, zones, []int{2000}}},
		{"claim: all rows of their tweets", selectRowsOf, []any{rows}},
		{"claim: tweets that were moved", sweep.SelectMisplaced, []any{"(0,0)", "(64,0)", zones, uuid.Nil}},
		{"claim: times that are ahead", sweep.SelectAhead, []any{"(0,0)", "(64,0)", now, now.Add(time.Hour), now.Add(time.Hour), now.Add(time.Hour), now.Add(time.Hour)}},
		{"claim: other rows of the tweets", lockSiblings, []any{rows, now}},
		{"claim: what is outstanding", fmt.Sprintf(selectOutstanding, bySharedKey), []any{now, now.Add(-time.Minute), time.Minute}},
		{"apply: lock tracking rows", lockClaimed, []any{rows, rows[0], "twitterapi.io"}},
		{"apply: lock tweets", lockNamed, []any{rows}},
		{"refresh: lock tracking rows", lockActive, []any{tweets}},
		{"refresh: lock tweets", lockTweetIDs, []any{tweets}},
		{"refresh: how tweets stand", selectStandings, []any{tweets}},
		{"track: what authors got", models.SelectAuthors, []any{zones[0], rows}},
		{"controls: live rows", canaryLive, []any{tweets, 3, canaryCandidates}},
		{"controls: collected rows", canaryCollected, []any{tweets, 3, canaryCandidates}},
	}
}
