package lab

import (
	"context"
	"errors"

	"gorgone/internal/app"
	"gorgone/internal/devstack/runfile"
	"gorgone/internal/failure"
	"gorgone/internal/simulate"
	"gorgone/store/history"
)

// errEnough ends an export of which enough was read.
var errEnough = errors.New("enough was read")

// recorded makes a population of the tweets in the history table, oldest first. A
// tweet of two zones is one: it must not be in both halves.
func (sh *shell) recorded(ctx context.Context, o simulation) (simulate.Population, error) {
	if _, err := runfile.Locate(&sh.cfg, sh.dataDir); err != nil {
		return simulate.Population{}, err
	}
	d, err := app.NewProcess("simulate", sh.version, sh.log).OpenDatabase(ctx, sh.cfg)
	if err != nil {
		return simulate.Population{}, err
	}
	defer d.Close()
	zones, err := d.Store.Zones(ctx)
	if err != nil {
		return simulate.Population{}, err
	}
	records := simulate.Collector{Most: o.tweets}
	known := o.zone == ""
	for _, z := range zones {
		if o.zone != "" && z.Name != o.zone && z.ID.String() != o.zone {
			continue
		}
		known = true
		err := d.History.Export(ctx, z.ID, history.Range{}, func(page []history.ExportRow) error {
			for _, row := range page {
				if !records.Add(row.Row, row.TweetID, row.Posted, row.Snapshot) {
					return errEnough
				}
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
		return simulate.Population{}, failure.Usagef("--zone: no zone has the id or name %q", o.zone)
	}
	return simulate.Recorded(records.Records, o.seed), nil
}
