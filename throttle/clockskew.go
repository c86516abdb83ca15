package throttle

import "time"

// maxClockSkew is the largest plausible clock skew of shared state: how far ahead of
// this replica's clock the state may have been written.
const maxClockSkew = 10 * time.Second

// fromFuture reports whether state written at the given database time is further
// ahead of now than maxClockSkew. The database's clock has been set back since, or the
// replica that wrote it has not noticed that yet. Such state is ignored: a replica that
// honoured it would make no call until the clock has caught up.
func fromFuture(written, now time.Time) bool { return written.Sub(now) > maxClockSkew }
