package queue

import "time"

// farAhead is how far in the future what is shared can not rightly be.
const farAhead = 10 * time.Second

// ahead reports whether what was written at the given database time comes from a
// clock that ran far ahead of ours: the database's clock has stepped back since, or
// the replica that wrote it has not noticed yet. It is void then: whoever kept to it
// would make no call until the clock has caught up.
func ahead(written, now time.Time) bool { return written.Sub(now) > farAhead }
