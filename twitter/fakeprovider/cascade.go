package fakeprovider

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Cascade is how one real tweet spread.
type Cascade struct {
	Name      string
	Retweets  []int32 // when each retweet came, in seconds since the post; ascending
	Followers int     // of the author

	// Posted is when it was posted, since the start of the collection; 0: not known.
	Posted time.Duration
}

// maxDays bounds the time of a post: a hundred years.
const maxDays = 36525

// maxLine bounds a line of a cascade file. A cascade of 100,000 retweets fits.
const maxLine = 4 << 20

// LoadCascades reads retweet cascades from text, plain or compressed with gzip.
// A line is a cascade, of four fields parted by tabs: its name, the time of the
// post in days since the start of the collection, whole days being midnights (anything
// but a number from 0 on: not known), the seconds since the post of every event, and the followers
// of the account behind every event. The last two are lists parted by spaces, of
// which the first item is the tweet itself, at second 0. Empty lines, and lines
// that begin with #, are skipped.
//
// The data set published with "TiDeH: Time-Dependent Hawkes Process for
// Predicting Retweet Dynamics" (Kobayashi and Lambiotte, ICWSM 2016) is easily
// brought into this form.
func LoadCascades(r io.Reader) ([]Cascade, error) {
	buffered := bufio.NewReader(r)
	if magic, err := buffered.Peek(2); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("read cascades: %w", err)
		}
		buffered = bufio.NewReader(unzipped)
	}
	lines := bufio.NewScanner(buffered)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	var cascades []Cascade
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		c, err := parseCascade(line)
		if err != nil {
			return nil, fmt.Errorf("read cascades: line %d: %w", n, err)
		}
		cascades = append(cascades, c)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read cascades: %w", err)
	}
	if len(cascades) == 0 {
		return nil, errors.New("read cascades: there are none in it")
	}
	return cascades, nil
}

func parseCascade(line string) (Cascade, error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 4 {
		return Cascade{}, fmt.Errorf("%d fields parted by tabs, want 4: name, time of the post, seconds, followers", len(fields))
	}
	var events []int32
	for i, text := range strings.Fields(fields[2]) {
		at, err := strconv.ParseInt(text, 10, 32)
		switch {
		case err != nil:
			return Cascade{}, fmt.Errorf("event %d: %w", i+1, err)
		case i == 0 && at != 0:
			return Cascade{}, fmt.Errorf("event 1 is at second %d: the first event must be the tweet itself, at 0", at)
		case i > 0 && int32(at) < events[i-1]:
			return Cascade{}, fmt.Errorf("event %d is at second %d, before the one in front of it at %d", i+1, at, events[i-1])
		}
		events = append(events, int32(at))
	}
	if len(events) == 0 {
		return Cascade{}, errors.New("no events")
	}
	first, _, _ := strings.Cut(fields[3], " ")
	followers, err := strconv.Atoi(first)
	if err != nil {
		return Cascade{}, fmt.Errorf("followers of the author: %w", err)
	}
	c := Cascade{Name: fields[0], Retweets: events[1:], Followers: followers}
	if days, err := strconv.ParseFloat(fields[1], 64); err == nil && days > 0 && days < maxDays {
		c.Posted = time.Duration(days * 24 * float64(time.Hour))
	}
	return c, nil
}
