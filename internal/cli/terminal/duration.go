package terminal

import (
	"fmt"
	"strings"
	"time"
)

// Duration writes d, which is not negative, as people do, in at most two units: "30 days", "3 minutes",
// "1 day 12 hours". What is less than the smaller of the two is left out.
func Duration(d time.Duration) string {
	const day = 24 * time.Hour
	units := []struct {
		size time.Duration
		name string
	}{{day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}}
	var parts []string
	for _, u := range units {
		n := d / u.size
		if n == 0 && len(parts) > 0 {
			break
		}
		if n == 0 && u.size > time.Second {
			continue
		}
		name := u.name
		if n != 1 {
			name += "s"
		}
		if parts = append(parts, fmt.Sprintf("%d %s", n, name)); len(parts) == 2 {
			break
		}
		d -= n * u.size
	}
	return strings.Join(parts, " ")
}
