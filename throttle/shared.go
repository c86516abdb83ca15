package throttle

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// stateVersion is written in every shared state. A state of another version is treated
// as unreadable.
const stateVersion = 1

// maxReason is the maximum length of a reason in bytes.
const maxReason = 2048

// keyPattern matches the key of a shared state.
var keyPattern = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// decodeVersioned decodes body into v, and then checks the version that it points to.
func decodeVersioned(body []byte, version *int, v any) error {
	if err := json.Unmarshal(body, v); err != nil {
		return err
	}
	if *version != stateVersion {
		return fmt.Errorf("version %d of the state is unknown, want %d", *version, stateVersion)
	}
	return nil
}

// oneLine turns a reason into one line of at most maxReason bytes.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "")
	}
	return s
}

// component marks this package's log lines.
func component(log zerolog.Logger) zerolog.Logger {
	return log.With().Str("component", "throttle").Logger()
}

// Shared states hold times as milliseconds or microseconds of database time since 1970,
// which every JSON reader represents exactly; 0 is the zero time. They are rounded up:
// neither a pause nor a slot may move forward.

func ceilMilli(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func ceilMicro(t time.Time) int64 { return t.Add(time.Microsecond - 1).UnixMicro() }

// toMicro is ceilMicro, and 0 for the zero time.
func toMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return ceilMicro(t)
}

// fromMicros returns a duration between 0 and maxWritten.
func fromMicros(us int64) time.Duration {
	return time.Duration(min(max(us, 0), maxWritten.Microseconds())) * time.Microsecond
}

func fromMicro(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
