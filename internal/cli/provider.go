package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"gorgone/internal/devstack"
	"gorgone/internal/failure"
	"gorgone/twitter/fakeprovider"
)

func newProvider(sh *shell) *cobra.Command {
	var listen, key, replay, callLog string
	var tweets, perCall, burst int
	var seed uint64
	var rate, speed, idle float64
	var steady bool
	var latency, jitter, spread time.Duration
	var credits int64
	cmd := &cobra.Command{
		Use:   "provider",
		Short: "Run a fake look-up provider",
		Long: `Run a fake look-up provider over HTTP, for trying things out and for tests. It
speaks the wire formats of twitterapi.io (/twitter/tweets, /oapi/my/info), the X API
(/2/tweets) and SocialData (/twitter/tweets-by-ids), errors and bills included, for
a population of tweets whose counters grow.

  GET  /_double/stats    counts of calls and answers
  GET  /_double/calls    the last calls
  GET  /_double/tweets   the tweets
  POST /_double/steer    inject faults; see the documentation of the package

Point gorgone at it with TWITTER_API_URL and TWITTER_API_KEY.`,
		Example: `  gorgone provider --listen 127.0.0.1:8090 --key secret --rate 20 --latency 80ms
  TWITTER_API_URL=http://127.0.0.1:8090 TWITTER_API_KEY=secret TWITTER_RATE=20 gorgone up --data-dir tried
  curl -X POST 127.0.0.1:8090/_double/steer -d '{"calls":[{"fault":"server_error","next":3}]}'`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if speed <= 0 {
				return failure.Usagef("--speed %g: want more than 0", speed)
			}
			start := time.Now()
			var population *fakeprovider.Population
			var err error
			if steady {
				population, err = fakeprovider.NewSteady(fakeprovider.Options{N: tweets, Seed: seed, Start: start.Add(-spread), Spread: spread}, idle)
			} else {
				population, err = devstack.Demo{Tweets: tweets, Seed: seed, Spread: spread, Replay: replay, Start: start}.NewPopulation()
			}
			if err != nil {
				return failure.Usagef("%w", err)
			}
			fake := fakeprovider.Config{
				Population: population,
				Now: func() time.Time {
					return start.Add(time.Duration(float64(time.Since(start)) * speed))
				},
				Key: key, MaxIDs: perCall, Rate: rate, Burst: burst, Latency: latency, Jitter: jitter, Credits: credits, Seed: seed,
			}
			if callLog != "" {
				f, err := os.OpenFile(callLog, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
				if err != nil {
					return failure.Usagef("--log: %w", err)
				}
				defer f.Close()
				fake.Log = f
			}
			return sh.serveFake(cmd.Context(), fake, listen)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8090", "address to listen on")
	f.StringVar(&key, "key", "", "API key that callers must send (empty: none)")
	f.StringVar(&replay, "replay", "", "file of real retweet cascades (default: synthetic tweets)")
	f.IntVar(&tweets, "tweets", 300, "number of tweets")
	f.BoolVar(&steady, "steady", false, "let all counters grow evenly, for measurements; all tweets are posted before the start")
	f.Float64Var(&idle, "idle", 0, "share of the steady tweets that never change (0 to 1)")
	f.DurationVar(&spread, "spread", 6*time.Hour, "time over which the tweets are posted")
	f.Uint64Var(&seed, "seed", 1, "seed of the random numbers")
	f.Float64Var(&speed, "speed", 1, "how many times faster than real time the tweets age")
	f.Float64Var(&rate, "rate", 0, "calls a second (0: no limit)")
	f.IntVar(&burst, "burst", 0, "calls allowed on top of the rate")
	f.IntVar(&perCall, "per-call", 50, "tweet ids a call of twitterapi.io's route takes")
	f.DurationVar(&latency, "latency", 0, "latency of an answer")
	f.DurationVar(&jitter, "jitter", 0, "maximum additional random latency")
	f.Int64Var(&credits, "credits", 0, "credits of the account (0: unlimited)")
	f.StringVar(&callLog, "log", "", "file to log every call to, as a line of JSON")
	return cmd
}

func (sh *shell) serveFake(ctx context.Context, fake fakeprovider.Config, listen string) error {
	server, err := fakeprovider.NewServer(fake)
	if err != nil {
		return failure.Usagef("%w", err)
	}
	defer server.Close()
	url, err := server.Listen(ctx, listen)
	if err != nil {
		return err
	}
	sh.printf("fake provider at %s with %d tweets\n", url, fake.Population.Len())
	<-ctx.Done()
	s := server.Stats()
	sh.printf("%s\n", fmt.Sprintf("answered %d calls, %d tweets, %d credits, %d rate limited", s.Calls, s.Returned, s.Billed, s.RateLimited))
	return nil
}
