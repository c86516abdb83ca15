package main

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"gorgone/simulate"
	"gorgone/store"
)

// errEnough ends an export of which enough was read.
var errEnough = errors.New("enough was read")

// recorded makes a population of the tweets in the history table, oldest first. A
// tweet of two zones is one: it must not be in both halves.
func (a *app) recorded(ctx context.Context, o simulation) (simulate.Population, error) {
	var open resources
	defer open.close()
	d, err := a.findDatabase(ctx, "simulate", &open)
	if err != nil {
		return simulate.Population{}, err
	}
	zones, err := d.store.Zones(ctx)
	if err != nil {
		return simulate.Population{}, err
	}
	var records []simulate.Record
	seen := make(map[string]uuid.UUID) // row that stands for a tweet
	known := o.zone == ""
	for _, z := range zones {
		if o.zone != "" && z.Name != o.zone && z.ID.String() != o.zone {
			continue
		}
		known = true
		err := d.store.Export(ctx, z.ID, store.HistoryRange{}, func(page []store.ExportRow) error {
			for _, row := range page {
				of, again := seen[row.TweetID]
				switch {
				case again && of != row.Row:
					continue
				case !again && len(records) >= o.tweets:
					return errEnough
				case !again:
					seen[row.TweetID] = row.Row
					records = append(records, simulate.Record{ID: row.TweetID, CreatedAt: row.Posted})
				}
				last := &records[len(records)-1]
				last.Snapshots = append(last.Snapshots, row.Snapshot)
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			break
		}
		if err != nil {
			return simulate.Population{}, err
		}
	}
	if !known {
		return simulate.Population{}, usageError("--zone: no zone has the id or name %q", o.zone)
	}
	return simulate.Recorded(records, o.seed), nil
}
