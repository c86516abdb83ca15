package forms

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/pause"
)

// maxReason is the most characters of the reason of a pause.
const maxReason = 300

// maxLetters is how many dead letters one request names at most.
const maxLetters = 1000

// Pause is what an operator pauses.
type Pause struct {
	Lane    pause.Lane `json:"lane"`
	Reason  string     `json:"reason"`
	Seconds float64    `json:"seconds"` // of engine time; 0: until it is resumed
}

// Parse returns the pause that was sent, by whom and from now on, or what is wrong with it.
func (f Pause) Parse(by string, now time.Time) (pause.Pause, error) {
	if err := CheckLane(f.Lane); err != nil {
		return pause.Pause{}, err
	}
	if utf8.RuneCountInString(f.Reason) > maxReason {
		return pause.Pause{}, fmt.Errorf("reason is longer than %d characters", maxReason)
	}
	length, err := span("seconds", f.Seconds)
	p := pause.Pause{Lane: f.Lane, Reason: f.Reason, By: by}
	if length > 0 {
		p.Until = now.Add(length)
	}
	return p, err
}

// CheckLane returns an error for what is no lane.
func CheckLane(lane pause.Lane) error {
	if lane != pause.Batches && lane != pause.Refreshes {
		return fmt.Errorf("lane %.40q: want %s or %s", lane, pause.Batches, pause.Refreshes)
	}
	return nil
}

// Letters are dead letters, by their numbers.
type Letters struct {
	Seqs []uint64 `json:"seqs"`
}

// Check returns what is wrong with the list.
func (f Letters) Check() error {
	if len(f.Seqs) == 0 || len(f.Seqs) > maxLetters {
		return fmt.Errorf("seqs has %d numbers: want 1 to %d", len(f.Seqs), maxLetters)
	}
	return nil
}

// ZoneSettings is what a zone's own settings say of its schedule. What is sent replaces all
// of it.
type ZoneSettings struct {
	Schedule      store.Schedule `json:"schedule"`       // "": as all zones
	MinEngagement int64          `json:"min_engagement"` // least total engagement of tweets that are looked up; 0: none
}

// Parse returns the keys of the settings with their values, or what is wrong with them.
func (f ZoneSettings) Parse() (json.RawMessage, error) {
	keys := make(map[string]any)
	switch f.Schedule {
	case "":
	case store.ScheduleTiers, store.ScheduleAdaptive:
		keys["schedule"] = f.Schedule
	default:
		return nil, fmt.Errorf("schedule %.40q: want %s, %s or nothing", f.Schedule, store.ScheduleTiers, store.ScheduleAdaptive)
	}
	switch {
	case f.MinEngagement < 0 || f.MinEngagement > engagement.MaxCount:
		return nil, errors.New("min_engagement is out of range")
	case f.MinEngagement > 0:
		keys["min_engagement"] = f.MinEngagement
	}
	return json.Marshal(keys)
}
