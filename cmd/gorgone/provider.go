package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"gorgone/twitter/twittertest"
)

func newProvider(a *app) *cobra.Command {
	var listen, key, replay, callLog string
	var tweets, perCall, burst int
	var seed uint64
	var rate, speed float64
	var latency, jitter, spread time.Duration
	var credits int64
	cmd := &cobra.Command{
		Use:   "provider",
		Short: "Run a double of the look-up provider",
		Long: `Run a double of the look-up provider over HTTP, for trying things out and for
tests. It speaks the wire format of twitterapi.io (/twitter/tweets,
/oapi/my/info) and of the X API (/2/tweets), with their refusals, for a
population of tweets whose counters grow.

  GET  /_double/stats    what was asked and answered
  GET  /_double/calls    the last calls
  GET  /_double/tweets   the tweets there are
  POST /_double/steer    make calls or tweets fail, see the package's documentation

Point gorgone at it with TWITTER_API_URL and TWITTER_API_KEY.`,
		Example: `  gorgone provider --listen 127.0.0.1:8090 --key secret --rate 20 --latency 80ms
  TWITTER_API_URL=http://127.0.0.1:8090 TWITTER_API_KEY=secret TWITTER_RATE=20 gorgone up --data-dir tried
  curl -X POST 127.0.0.1:8090/_double/steer -d '{"calls":[{"fault":"server_error","next":3}]}'`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if speed <= 0 {
				return usageError("--speed %g: want more than 0", speed)
			}
			start := time.Now()
			d := demo{Tweets: tweets, Seed: seed, Spread: spread, Replay: replay, Start: start}
			population, err := d.population()
			if err != nil {
				return err
			}
			config := twittertest.Config{
				Population: population,
				Now: func() time.Time {
					return start.Add(time.Duration(float64(time.Since(start)) * speed))
				},
				Key: key, MaxIDs: perCall, Rate: rate, Burst: burst, Latency: latency, Jitter: jitter, Credits: credits, Seed: seed,
			}
			if callLog != "" {
				f, err := os.OpenFile(callLog, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
				if err != nil {
					return usageError("--log: %w", err)
				}
				defer f.Close()
				config.Log = f
			}
			return a.serveDouble(cmd.Context(), config, listen)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8090", "address to listen on")
	f.StringVar(&key, "key", "", "API key that callers must bring (empty: none)")
	f.StringVar(&replay, "replay", "", "file of real retweet cascades (default: synthetic tweets)")
	f.IntVar(&tweets, "tweets", 300, "number of tweets")
	f.DurationVar(&spread, "spread", 6*time.Hour, "time over which the tweets are posted")
	f.Uint64Var(&seed, "seed", 1, "seed of everything that is drawn by chance")
	f.Float64Var(&speed, "speed", 1, "how many times faster than real time the tweets age")
	f.Float64Var(&rate, "rate", 0, "calls a second (0: no limit)")
	f.IntVar(&burst, "burst", 0, "calls allowed on top of the rate")
	f.IntVar(&perCall, "per-call", 50, "tweet ids a call of twitterapi.io's route takes")
	f.DurationVar(&latency, "latency", 0, "time that an answer takes")
	f.DurationVar(&jitter, "jitter", 0, "time that it takes more, at most")
	f.Int64Var(&credits, "credits", 0, "credits of the account (0: without end)")
	f.StringVar(&callLog, "log", "", "file that gets every call as a line of JSON")
	return cmd
}

func (a *app) serveDouble(ctx context.Context, config twittertest.Config, listen string) error {
	server, err := twittertest.NewServer(config)
	if err != nil {
		return usageError("%w", err)
	}
	defer server.Close()
	url, err := server.Listen(ctx, listen)
	if err != nil {
		return err
	}
	a.printf("provider double at %s with %d tweets\n", url, config.Population.Len())
	<-ctx.Done()
	s := server.Stats()
	a.printf("%s\n", fmt.Sprintf("answered %d calls, %d tweets, %d credits, %d rate limited", s.Calls, s.Returned, s.Billed, s.RateLimited))
	return nil
}
