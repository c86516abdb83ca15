// Package terminal writes what people read on a terminal.
package terminal

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// barWidth is how many characters a full bar has.
const barWidth = 30

// Progress is a line on a terminal that says how far something is, how fast it goes and
// how long the rest takes. A nil one says nothing.
type Progress struct {
	out   io.Writer
	what  string // is done, such as "tweets"
	total int
	now   func() time.Time
	begun time.Time
}

// New begins to tell of total things; out is a terminal.
func New(out io.Writer, what string, total int, now func() time.Time) *Progress {
	return &Progress{out: out, what: what, total: total, now: now, begun: now()}
}

// Show draws the line again, with so many things done.
func (p *Progress) Show(done int) {
	if p == nil || p.total <= 0 {
		return
	}
	full := barWidth * done / p.total
	line := fmt.Sprintf("%s%s %3d%%  %d of %d %s", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*done/p.total, done, p.total, p.what)
	if took := p.now().Sub(p.begun).Seconds(); took > 0 && done > 0 {
		rate := float64(done) / took
		left := time.Duration(float64(p.total-done) / rate * float64(time.Second))
		line += fmt.Sprintf(", %.0f a second, %s left", rate, left.Round(time.Second))
	}
	_, _ = fmt.Fprintf(p.out, "\r\x1b[K%s", line)
}

// End removes the line.
func (p *Progress) End() {
	if p != nil {
		_, _ = io.WriteString(p.out, "\r\x1b[K")
	}
}

// Clip returns a text in one line of so many characters at most, the last of them an
// ellipsis when that is not all of it.
func Clip(text string, most int) string {
	letters := []rune(strings.Join(strings.Fields(text), " "))
	if len(letters) <= most {
		return string(letters)
	}
	return string(letters[:most-1]) + "…"
}
