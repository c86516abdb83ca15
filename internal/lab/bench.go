package lab

import (
	"time"

	"github.com/spf13/cobra"

	"gorgone/internal/lab/bench"
)

func newBench(sh *shell) *cobra.Command {
	var o bench.Options
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure this machine: the engine beside the bare statements, and refreshes under load",
		Long: `Measure what this machine does, beside a ceiling that does not depend on Gorgone.
Three contenders take turns, each with as many due tweets whose counts have all
changed, on one private Postgres that syncs its commits:

  raw         only the writes: bare statements, batches of 300, 4 connections
  raw + HTTP  the same, with counts looked up over HTTP before
  end to end  the engine with its defaults: a dispatcher process, a worker
              process, NATS in a process of its own

For each it prints tweets a second, processor time of Postgres and of each of
these processes (not of the fake provider), WAL, and what goes between the
contender and Postgres: bytes of both directions above TCP, and round trips.
Autovacuum and timed checkpoints are off during the turns; each begins after a
vacuum and a checkpoint. Then refreshes are requested at an even rate while
tweets fall due faster than they can be looked up.

With --baseline it compares the engine's WAL, bytes, round trips and allocations
of the worker with those in a file.

It exits with 1 when a part fails, a message is dead-lettered, a refresh is not
answered, or one of those counters exceeds the baseline by more than a tenth,
however fast the rest is.`,
		Example: `  gorgone-lab bench
  gorgone-lab bench --idle 0.75
  gorgone-lab bench --tweets 24000 --backlog 24000 --rounds 1 --duration 3s --refreshes 30`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Program, err = sh.findProgram(); err != nil {
				return err
			}
			o.Version, o.Out, o.Log = sh.version, sh.out, sh.log
			return bench.Run(cmd.Context(), sh.cfg, o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Tweets, "tweets", 60_000, "tweets due in each turn")
	f.IntVar(&o.Rounds, "rounds", 3, "turns of each contender")
	f.Float64Var(&o.Idle, "idle", 0, "share of the look-ups that find nothing new (0 to 1; 0.75 is usual in production)")
	f.DurationVar(&o.Latency, "latency", 50*time.Millisecond, "latency of the provider's answers")
	f.Float64Var(&o.Rate, "rate", 1000, "calls a second that the workers share")
	f.IntVar(&o.Backlog, "backlog", 200_000, "tweets that keep falling due while refreshes are requested")
	f.DurationVar(&o.Duration, "duration", 30*time.Second, "time over which refreshes are requested")
	f.IntVar(&o.Refreshes, "refreshes", 600, "refreshes to request")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the tweets")
	f.StringVar(&o.Baseline, "baseline", "", "file of counters that must not be exceeded by more than a tenth (empty: none)")
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	sh.programFlag(cmd)
	return cmd
}
