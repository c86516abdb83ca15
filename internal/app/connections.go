package app

import (
	"cmp"
	"context"
	"fmt"

	"gorgone/queue"
)

// Connections adds up what all running processes may open, and fails where the database takes
// fewer: it refuses what is beyond its limit, and not at start, but under load.
func (d *Database) Connections(ctx context.Context, present []queue.Replica) (detail string, err error) {
	room, of, err := d.DB.Room(ctx)
	if err != nil {
		return "", err
	}
	most, own := 0, d.DB.PoolUse().Max
	for _, r := range present {
		most += cmp.Or(r.Conns, own)
	}
	processes := "processes"
	if len(present) == 1 {
		processes = "process"
	}
	detail = fmt.Sprintf("%d %s: %d at most", len(present), processes, most)
	switch {
	case room > 0 && most >= room:
		return "", fmt.Errorf("%s, and %s takes %d", detail, of, room)
	case room > 0:
		detail += fmt.Sprintf(", and %s takes %d", of, room)
	}
	return detail, nil
}
