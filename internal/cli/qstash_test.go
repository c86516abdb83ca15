package cli

import (
	"strings"
	"testing"

	"gorgone/qstash/qstashtest"
)

func TestQStash(t *testing.T) {
	const token = "a-token-that-no-one-should-see"
	double := qstashtest.Start(t, token)
	t.Setenv("QSTASH_TOKEN", token)
	t.Setenv("QSTASH_URL", double.URL)
	if _, code := gorgone(t, "", "qstash", "sync"); code != exitUsage {
		t.Errorf("without a public URL: exit %d", code)
	}
	t.Setenv("GORGONE_WEB_PUBLIC_URL", "https://gorgone.example.com/")
	if _, code := gorgone(t, "", "qstash", "pause"); code != exitNotFound {
		t.Errorf("pause of what is not there: exit %d", code)
	}
	var said strings.Builder
	for _, args := range [][]string{{"sync"}, {"sync", "--limit", "50"}, {"pause"}, {"list"}, {"resume"}, {"list"}} {
		out, code := gorgone(t, "", append([]string{"qstash"}, args...)...)
		if code != 0 {
			t.Errorf("%v: exit %d", args, code)
		}
		said.WriteString(out)
	}
	kept := double.Schedules()
	if len(kept) != 1 || kept[0].ScheduleID != scheduleID || kept[0].Cron != "*/10 * * * *" || kept[0].Body != `{"limit":50}` ||
		kept[0].Destination != "https://gorgone.example.com/api/twitter/engagement/update" || kept[0].IsPaused {
		t.Errorf("%+v", kept)
	}
	if s := said.String(); strings.Contains(s, token) || !strings.Contains(s, "paused") || !strings.Contains(s, "running") {
		t.Errorf("%s", s)
	}
	t.Setenv("QSTASH_TOKEN", "another-token-that-is-wrong")
	if _, code := gorgone(t, "", "qstash", "list"); code != exitFailed {
		t.Errorf("with a wrong token: exit %d", code)
	}
}
