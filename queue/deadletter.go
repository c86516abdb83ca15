package queue

import (
	"context"
	"time"
)

// DeadLetter is one entry of the dead-letter stream.
type DeadLetter struct {
	Seq        uint64    // place in the dead-letter stream
	Lane       Lane      // where the message came from
	Reason     string    // why it could not be handled
	Deliveries int       // how often it was delivered
	FirstSeen  time.Time // when it was published
	At         time.Time // when it was given up
	Subject    string    // subject it was published on
	MsgID      string    // id it was published with; may be empty
	Stream     string    // stream it came from, and
	StreamSeq  uint64    // its place there
	Body       []byte    // the message itself; nil for one that is gone
}

// DeadLetters lists the newest dead letters, newest first, at most limit.
func (q *Queue) DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error) {
	return nil, errNotBuilt
}
