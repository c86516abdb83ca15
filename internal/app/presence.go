package app

import (
	"os"
	"time"

	"github.com/google/uuid"

	"gorgone/queue"
)

// present answers, until it is stopped, when the dashboard asks which processes there
// are.
func (a *App) present() (stop func(), err error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown" // it is for people only
	}
	roles := make([]string, len(a.roles))
	for i, r := range a.roles {
		roles[i] = string(r)
	}
	who := queue.Replica{ID: uuid.NewString(), Host: host, Roles: roles, Version: a.process.Version, Since: time.Now().UTC(), Conns: a.db.DB.PoolUse().Max}
	return a.queue.ServePresence(func() queue.Replica {
		now := who
		if a.worker != nil {
			done := a.worker.Progress()
			now.InWork, now.Done = int(done.InHand), done.Applied+done.Refreshes
			if err := a.worker.Ready(); err != nil {
				now.Trouble = err.Error()
			}
		}
		return now
	})
}
