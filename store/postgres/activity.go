package postgres

import (
	"encoding/json"

	"gorgone/engagement"
)

// StoredActivity is the estimate of a tracking row as it is stored. Rows that were last
// looked up by an older version have it as JSON. A look-up moves it to the binary
// column and empties the other one, so JSON that is there is the newer of the two.
type StoredActivity struct{ json, state []byte }

// Dest returns the destinations of the columns activity and activity_state.
func (s *StoredActivity) Dest() []any { return []any{&s.json, &s.state} }

// Activity decodes the estimate. One that cannot be read starts over: it is an
// estimate, and no record.
func (s *StoredActivity) Activity() engagement.Activity {
	var a engagement.Activity
	var err error
	switch {
	case s.json != nil:
		err = json.Unmarshal(s.json, &a)
	case s.state != nil:
		err = a.UnmarshalBinary(s.state)
	}
	if err != nil {
		return engagement.Activity{}
	}
	return a
}

// PackActivity encodes an estimate for the column activity_state: nil for none. What
// the column has no number for becomes nil too: an estimate must not keep the counts
// beside it from being written.
func PackActivity(a engagement.Activity) []byte {
	if a == (engagement.Activity{}) {
		return nil
	}
	state, err := a.AppendBinary(nil)
	if err != nil {
		return nil
	}
	return state
}
