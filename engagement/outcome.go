package engagement

// RowOutcome is what became of one tracked row when the result of a look-up was
// applied to it.
type RowOutcome string

// The outcomes of a row. What follows from each is in [RowOutcome.Effect].
const (
	// RowApplied: the observation was written.
	RowApplied RowOutcome = "applied"
	// RowMissing: a miss was recorded; the row is looked up again later.
	RowMissing RowOutcome = "missing"
	// RowDeleted: the tweet counts as deleted, by this miss or an earlier one, and is
	// no longer looked up. The reason is the row's.
	RowDeleted RowOutcome = "deleted"
	// RowUnproven: the answer lacked the tweet, which proves nothing. The row backs off.
	RowUnproven RowOutcome = "unproven"
	// RowUnresolved: there was no answer about the tweet. The row backs off.
	RowUnresolved RowOutcome = "unresolved"
	// RowOutOfRange: the counts do not fit the database. The row backs off.
	RowOutOfRange RowOutcome = "out_of_range"
	// RowZeroed: the counts are not believed: every one was 0, or those of many tweets
	// changed as counts do not, through the provider's fault. The row backs off.
	RowZeroed RowOutcome = "zeroed"
	// RowFuture: the observation lies ahead of the clock. The row backs off.
	RowFuture RowOutcome = "future"
	// RowStale: the row has a newer observation; this one was dropped.
	RowStale RowOutcome = "stale"
	// RowNewer: the row was observed after the refresh was asked for, and is
	// reported as it is.
	RowNewer RowOutcome = "already_newer"
	// RowLostClaim: the row is no longer the claim's; nothing was written.
	RowLostClaim RowOutcome = "lost_claim"
	// RowVanished: the row no longer exists.
	RowVanished RowOutcome = "vanished"
)

// RowResult sums outcomes up for statistics. It is a metric label.
type RowResult string

// The results.
const (
	ResultApplied RowResult = "applied" // written
	ResultMissing RowResult = "missing" // a miss was counted
	ResultFailed  RowResult = "failed"  // a failure was counted; the row backs off
	ResultSkipped RowResult = "skipped" // nothing was written
)

// RowResults returns all results.
func RowResults() []RowResult {
	return []RowResult{ResultApplied, ResultMissing, ResultFailed, ResultSkipped}
}

// RowEffect is what follows from the outcome of a row.
type RowEffect struct {
	Result  RowResult
	Request RequestOutcome // how refresh requests for the row end
	Known   bool           // the row was read, so its state can be reported
}

// rowEffects is the one place that says what follows from the outcome of a row.
var rowEffects = map[RowOutcome]RowEffect{
	RowApplied:    {ResultApplied, RequestUpdated, true},
	RowMissing:    {ResultMissing, RequestMissing, true},
	RowDeleted:    {ResultMissing, RequestDeleted, true},
	RowUnproven:   {ResultFailed, RequestMissing, true},
	RowUnresolved: {ResultFailed, RequestUnresolved, true},
	RowOutOfRange: {ResultFailed, RequestUnresolved, true},
	RowZeroed:     {ResultFailed, RequestUnresolved, true},
	RowFuture:     {ResultFailed, RequestUnresolved, true},
	RowStale:      {ResultSkipped, RequestCurrent, true},
	RowNewer:      {ResultSkipped, RequestCurrent, true},
	RowLostClaim:  {ResultSkipped, RequestUnresolved, false},
	RowVanished:   {ResultSkipped, RequestUnresolved, false},
}

// Effect returns what follows from the outcome. An unknown one has failed.
func (o RowOutcome) Effect() RowEffect {
	if e, ok := rowEffects[o]; ok {
		return e
	}
	return RowEffect{ResultFailed, RequestUnresolved, false}
}
