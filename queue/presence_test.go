package queue_test

import (
	"fmt"
	"testing"
	"time"

	"gorgone/queue"
	"gorgone/queue/queuetest"
)

func TestRollCall(t *testing.T) {
	t.Parallel()
	server, asking := queuetest.Start(t, queue.Config{})
	call := func() []queue.Replica {
		t.Helper()
		all, err := asking.Replicas(testContext(t), patience)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := call(); len(all) != 0 {
		t.Errorf("no worker is there, and %+v answered", all)
	}
	stops := make(map[int]func())
	for i := range 5 {
		inWork := i
		stop, err := queuetest.Open(t, server, queue.Config{}).ServePresence(func() queue.Replica {
			return queue.Replica{ID: fmt.Sprint("id", i), Host: "host", Roles: []string{"worker"}, Version: "1", Since: epoch, InWork: inWork}
		})
		if err != nil {
			t.Fatal(err)
		}
		stops[i] = stop
	}
	other := queuetest.Open(t, server, queue.Config{Prefix: "OTHER"})
	if _, err := other.ServePresence(func() queue.Replica { return queue.Replica{ID: "of another queue"} }); err != nil {
		t.Fatal(err)
	}
	// Replicas returns when no process answers for a moment, which on a busy machine may be
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
	conn := queuetest.Connect(t, server)
	cut, err := queue.Open(testContext(t), conn, queue.Config{})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := cut.Replicas(testContext(t), time.Second); err == nil {
		t.Error("replicas were asked for without a connection")
	}
}
