package queue_test

import (
	"fmt"
	"testing"
	"time"

	"gorgone/queue"
)

func TestRollCall(t *testing.T) {
	t.Parallel()
	server, asking := start(t, queue.Config{})
	call := func() []queue.Replica {
		t.Helper()
		all, err := asking.RollCall(testContext(t), patience)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := call(); len(all) != 0 {
		t.Errorf("nobody is there, and %+v answered", all)
	}
	stops := make(map[int]func())
	for i := range 5 {
		inWork := i
		stop, err := open(t, server, queue.Config{}).Attend(func() queue.Replica {
			return queue.Replica{ID: fmt.Sprint("id", i), Host: "host", Roles: []string{"worker"}, Version: "1", Since: epoch, InWork: inWork}
		})
		if err != nil {
			t.Fatal(err)
		}
		stops[i] = stop
	}
	other := open(t, server, queue.Config{Prefix: "OTHER"})
	if _, err := other.Attend(func() queue.Replica { return queue.Replica{ID: "of another queue"} }); err != nil {
		t.Fatal(err)
	}
	// A roll call ends when nobody answers for a moment, which on a busy machine may be
	// before the last one has.
	answering := func(n int) (all []queue.Replica) {
		t.Helper()
		await(t, fmt.Sprint(n, " answer"), func() bool {
			all = call()
			return len(all) == n
		})
		return all
	}
	all := answering(5)
	for i, r := range all {
		if r.ID != fmt.Sprint("id", i) || r.InWork != i || !r.Since.Equal(epoch) || len(r.Roles) != 1 {
			t.Errorf("%+v", r)
		}
	}
	stops[2]()
	for _, r := range answering(4) {
		if r.ID == "id2" {
			t.Errorf("one that has left answers: %+v", r)
		}
	}
	conn := connect(t, server)
	cut, err := queue.Open(testContext(t), conn, queue.Config{})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := cut.RollCall(testContext(t), time.Second); err == nil {
		t.Error("a roll call without a connection")
	}
}
