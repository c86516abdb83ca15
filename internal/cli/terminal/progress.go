// Package terminal writes what people read on a terminal.
package terminal

import (
	"fmt"
	"io"
	"strings"
	"time"

	"gorgone/internal/app"
)

// barWidth is how many characters a full bar has.
const barWidth = 30

// LineEvery is how often a progress says something where it cannot draw over what it said.
const LineEvery = 30 * time.Second

// Progress is a line on a terminal that says how far something is, how fast it goes and
// how long the rest takes. Elsewhere it is a plain line now and then, and none of what is
// done sooner. A nil one says nothing.
type Progress struct {
	out   io.Writer
	plain bool
	what  string // is done, such as "tweets"
	total int
	now   func() time.Time
	begun time.Time
	said  time.Time // the last plain line
}

// Start begins to tell of total things, in the way that out can show.
func Start(out io.Writer, what string, total int) *Progress {
	if app.IsTerminal(out) {
		return New(out, what, total, time.Now)
	}
	return NewLines(out, what, total, time.Now)
}

// New begins to tell of total things; out is a terminal.
func New(out io.Writer, what string, total int, now func() time.Time) *Progress {
	return &Progress{out: out, what: what, total: total, now: now, begun: now(), said: now()}
}

// NewLines begins to tell of total things in plain lines, [LineEvery] so often.
func NewLines(out io.Writer, what string, total int, now func() time.Time) *Progress {
	p := New(out, what, total, now)
	p.plain = true
	return p
}

// Show draws the line again, with so many things done. More than there were at first
// (others add to them) count as all.
func (p *Progress) Show(done int) {
	if p == nil || p.total <= 0 {
		return
	}
	if p.plain && p.now().Sub(p.said) < LineEvery {
		return
	}
	p.said = p.now()
	done = min(done, p.total)
	line := fmt.Sprintf("%3d%%  %d of %d %s", 100*done/p.total, done, p.total, p.what)
	if took := p.now().Sub(p.begun).Seconds(); took > 0 && done > 0 {
		rate := float64(done) / took
		left := time.Duration(float64(p.total-done) / rate * float64(time.Second))
		line += fmt.Sprintf(", %s, %s left", pace(rate), left.Round(time.Second))
	}
	if p.plain {
		_, _ = fmt.Fprintln(p.out, strings.TrimLeft(line, " "))
		return
	}
	full := barWidth * done / p.total
	_, _ = fmt.Fprintf(p.out, "\r\x1b[K%s%s %s", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), line)
}

// pace says how fast it goes, in things a second.
func pace(rate float64) string {
	switch {
	case rate < 1:
		return fmt.Sprintf("%.1f a minute", 60*rate)
	case rate < 10:
		return fmt.Sprintf("%.1f a second", rate)
	default:
		return fmt.Sprintf("%.0f a second", rate)
	}
}

// Clear removes the line, so that something else can be printed; Show draws it again.
func (p *Progress) Clear() {
	if p != nil && !p.plain {
		_, _ = io.WriteString(p.out, "\r\x1b[K")
	}
}

// End removes the line.
func (p *Progress) End() { p.Clear() }

// Clip returns a text in one line of so many characters at most, the last of them an
// ellipsis when that is not all of it.
func Clip(text string, most int) string {
	letters := []rune(strings.Join(strings.Fields(text), " "))
	if len(letters) <= most {
		return string(letters)
	}
	return string(letters[:most-1]) + "…"
}
