package main

import (
	"os"
	"time"

	"github.com/google/uuid"

	"gorgone/queue"
	"gorgone/worker"
)

// attend answers roll calls for this process until it is stopped, so that the
// dashboard can show who is there. progress is nil where no worker runs.
func (a *app) attend(p parts, progress func() worker.Progress, roles ...string) (stop func(), err error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown" // it is for people only
	}
	who := queue.Replica{ID: uuid.NewString(), Host: host, Roles: roles, Version: versionString(), Since: time.Now().UTC()}
	return p.queue.Attend(func() queue.Replica {
		now := who
		if progress != nil {
			done := progress()
			now.InWork, now.Done = int(done.InHand), done.Applied+done.Refreshes
		}
		return now
	})
}
