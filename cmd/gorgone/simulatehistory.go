package main

import (
	"context"

	"gorgone/simulate"
	"gorgone/store"
)

// recorded makes a population of the tweets in the history table, oldest first.
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
	known := o.zone == ""
	for _, z := range zones {
		if o.zone != "" && z.Name != o.zone && z.ID.String() != o.zone {
			continue
		}
		known = true
		err := d.store.Export(ctx, z.ID, store.HistoryRange{}, func(page []store.ExportRow) error {
			for _, row := range page {
				last := len(records) - 1
				if last < 0 || records[last].ID != row.Row.String() {
					if len(records) >= o.tweets {
						return nil
					}
					records = append(records, simulate.Record{ID: row.Row.String(), CreatedAt: row.Posted})
					last++
				}
				records[last].Snapshots = append(records[last].Snapshots, row.Snapshot)
			}
			return nil
		})
		if err != nil {
			return simulate.Population{}, err
		}
	}
	if !known {
		return simulate.Population{}, usageError("--zone: no zone has the id or name %q", o.zone)
	}
	return simulate.Recorded(records, o.seed), nil
}
