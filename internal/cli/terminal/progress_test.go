package terminal_test

import (
	"bytes"
	"testing"
	"time"

	"gorgone/internal/cli/terminal"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	p := terminal.New(&out, "tweets", 200_000, func() time.Time { return now })
	p.Show(0)
	now = now.Add(10 * time.Second)
	p.Show(50_000)
	p.End()
	const want = "\r\x1b[K..............................   0%  0 of 200000 tweets" +
		"\r\x1b[K#######.......................  25%  50000 of 200000 tweets, 5000 a second, 30s left" + "\r\x1b[K"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	p = terminal.NewLines(&out, "steps", 4, func() time.Time { return now })
	p.Show(0)
	now = now.Add(20 * time.Second)
	p.Show(1) // too soon
	now = now.Add(20 * time.Second)
	p.Show(2)
	now = now.Add(20 * time.Second)
	p.Show(3)
	p.End()
	if want := "50%  2 of 4 steps, 3.0 a minute, 40s left\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	var silent *terminal.Progress
	silent.Show(1)
	silent.End()
}

func TestClip(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"short": "short", "a\n b": "a b", "exactly 10": "exactly 10", "eleven long": "eleven lo…", "ééééééééééé": "ééééééééé…", "": "",
	} {
		if got := terminal.Clip(text, 10); got != want {
			t.Errorf("%q is cut to %q, want %q", text, got, want)
		}
	}
}
