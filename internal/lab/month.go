package lab

import (
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gorgone/internal/lab/month"
)

func newMonth(sh *shell) *cobra.Command {
	var o month.Options
	cmd := &cobra.Command{
		Use:   "month",
		Short: "Run a month of engine time in an hour, and tell what grows",
		Long: `Run NATS, a dispatcher, a worker and a web server over a private Postgres and a fake
provider, with engine time sped up so that the days pass in the time given. Tweets
are posted through all of it, so that so many are live at a time; they are looked up
for three days. Everything is switched on: retention in three stages, the merging of
old months, alerts with a webhook, budgets and caps, both schedules, forecasts,
deletions that are checked again, refreshes, pages that are looked at. The end of a
month lies two thirds into the run.

Sampled are the sizes, rows and dead tuples of tables, streams and buckets of NATS,
memory, open files and goroutines of the processes, the memory of Postgres's backends,
and what statements read. What grows does so over the last two thirds of the days by
the test of Mann and Kendall and the slope of Theil and Sen; a table or a stream only
if it grows for each row as well. What days and months bring is checked past the
engine's own code. With --check it exits with 1 when something grew or was not done.

It refuses to begin with less disk than it needs: 6 GB for the defaults. What it made is
removed at the end, and when it is interrupted.`,
		Example: `  gorgone-lab month --samples month.csv
  gorgone-lab month --days 12 --duration 1m --live 600 --check
  gorgone-lab month --duration 40m --replay cascades.tsv.gz`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Program, err = sh.findProgram(); err != nil {
				return err
			}
			o.Version, o.Out, o.Log = sh.version, sh.out, sh.log
			return month.Run(cmd.Context(), sh.cfg, o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Days, "days", 30, "days of engine time (9 to 366)")
	f.DurationVar(&o.Duration, "duration", time.Hour, "real time that they take (4s a day at least)")
	f.IntVar(&o.Live, "live", 20_000, "tweets that are live at a time (90 to 1000000)")
	f.StringVar(&o.Replay, "replay", "", "file of real cascades (default: synthetic tweets)")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the tweets")
	f.StringVar(&o.Dir, "dir", filepath.Join(os.TempDir(), "gorgone-month"), "folder to make for the run, which the user that runs Postgres can reach")
	f.BoolVar(&o.Keep, "keep", false, "keep the folder")
	f.StringVar(&o.Samples, "samples", "", "file that gets all samples, as comma separated values")
	f.BoolVar(&o.Check, "check", false, "fail when something grows, or was not done")
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	sh.programFlag(cmd)
	return cmd
}
