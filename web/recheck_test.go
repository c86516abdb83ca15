package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/web"
)

// TestReadersAreCheckedAgain: a zone that goes to another client is no longer shown to who
// reads already, a new one is; and the stream of a profile that is gone ends.
func TestReadersAreCheckedAgain(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{config: func(c *web.Config) { c.Recheck = 20 * time.Millisecond }})
	id, user := e.user("operator", true)
	l := e.listen("", user, "")
	e.publish(e.zone, "1")
	if ev := l.next(); !strings.Contains(ev.data, `"tweet_id":"1"`) {
		t.Fatalf("%+v", ev)
	}
	added, other := uuid.New(), uuid.New()
	e.exec(`insert into clients (id, name) values ($1, 'other')`, other)
	_, err := e.sql.Exec(t.Context(), `
		with added as (insert into zones (id, name, client_id, is_active) values ($1, 'added', $2, true))
		update zones set client_id = $3 where id = $4`, added, e.client, other, e.zone)
	if err != nil {
		t.Fatal(err)
	}
	for checked := false; !checked; { // the new zone's events come from the check on
		e.publish(added, "2")
		select {
		case ev := <-l.events:
			checked = strings.Contains(ev.data, `"tweet_id":"2"`)
		case <-time.After(10 * time.Millisecond):
		}
	}
	e.publish(e.zone, "3")
	e.publish(added, "4")
	for {
		ev := l.next()
		if strings.Contains(ev.data, `"tweet_id":"3"`) || ev.kind == "end" {
			t.Fatalf("of a zone that is another's: %+v", ev)
		}
		if strings.Contains(ev.data, `"tweet_id":"4"`) {
			break
		}
	}
	e.exec(`delete from profiles where id = $1`, id)
	for l.next().kind != "end" {
		continue // events from before
	}
}
