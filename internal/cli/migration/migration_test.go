package migration

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"gorgone/store/postgres"
)

func TestDisplay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	d := display{out: &out, now: func() time.Time { return now }}
	for _, b := range []postgres.Build{
		{Index: "a", Phase: "waiting for writers", Unit: "transactions", Total: 1},
		{Index: "a", Phase: "scanning", Unit: "blocks"},
		{Index: "a", Phase: "scanning", Unit: "blocks", Total: 1000},
		{Index: "a", Phase: "scanning", Unit: "blocks", Done: 500, Total: 1000},
		{Index: "b", Phase: "scanning", Unit: "blocks", Total: 1000},
	} {
		d.show(b)
		now = now.Add(5 * time.Second)
	}
	d.bar.End()
	const end = "\r\x1b[K"
	empty, half := strings.Repeat(".", 30), strings.Repeat("#", 15)+strings.Repeat(".", 15)
	want := "a: waiting for writers\n" + end + empty + "   0%  0 of 1 transactions" + end +
		"a: scanning\n" + end + end + empty + "   0%  0 of 1000 blocks" +
		end + half + "  50%  500 of 1000 blocks, 100 a second, 5s left" + end +
		"b: scanning\n" + end + empty + "   0%  0 of 1000 blocks" + end
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
