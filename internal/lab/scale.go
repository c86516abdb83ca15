package lab

import (
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gorgone/internal/lab/scale"
)

func newScale(sh *shell) *cobra.Command {
	var o scale.Options
	cmd := &cobra.Command{
		Use:   "scale",
		Short: "Measure what grows with tracked tweets, on databases of several sizes",
		Long: `Build a database on a private Postgres, measure it and remove it; for each size:
1,000 zones of which the largest has a tenth of the tweets, 30 days of posts, a
tenth of them live, a hundredth due, and points of history in partitions of a day.

Measured are claims while 1% and 10% are due, answers, refreshes under load,
statistics, lists, searches, tops, a curve, an export, start-up and memory of the
roles, the doctor, retention's daily cut, the making of a partition, and the
adoption of tables that large; the last three beside a reader and a writer, which
tell how long they waited. For each it counts the rows and index entries that it
reads, which a busy machine does not change.

A run that ended early, or reached --limit, goes on where it was when it is started
again. It refuses to begin with less disk than it needs: 28 GB for ten million tweets
with two points each. Results stay in --dir, and the table shows those of all
sizes there.

With --check it exits with 1 when claims, answers, or pages that need not order or
search all tweets, read more for each tweet at the largest size than at the smallest,
or a whole table, or when something blocked a reader or a writer for a second,
however fast it is.`,
		Example: `  gorgone-lab scale --tracked 100000,1000000
  gorgone-lab scale --tracked 10000000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Program, err = sh.findProgram(); err != nil {
				return err
			}
			o.Version, o.Out, o.Log = sh.version, sh.out, sh.log
			return scale.Run(cmd.Context(), sh.cfg, o)
		},
	}
	f := cmd.Flags()
	f.IntSliceVar(&o.Tracked, "tracked", []int{100_000, 1_000_000}, "tracked tweets of each database, comma separated")
	f.Float64Var(&o.Points, "points", 2, "mean points of history a tweet (1 to 100)")
	f.StringVar(&o.Dir, "dir", filepath.Join(os.TempDir(), "gorgone-scale"), "folder for databases and results, which the user that runs Postgres can reach")
	f.BoolVar(&o.Keep, "keep", false, "keep the databases")
	f.DurationVar(&o.Limit, "limit", time.Hour, "maximum time of the run")
	f.DurationVar(&o.Load, "load", 20*time.Second, "time over which refreshes are requested")
	f.BoolVar(&o.Check, "check", false, "fail when a counter shows growth where there must be none")
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	sh.programFlag(cmd)
	return cmd
}
