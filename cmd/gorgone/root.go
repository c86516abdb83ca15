package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gorgone/metrics"
)

// app is what every subcommand starts from.
type app struct {
	in      io.Reader
	out     io.Writer // results
	errOut  io.Writer // logs and progress
	dataDir string

	// demonstration: the tweets of the running up are made up, and the key that
	// is set is a real one.
	demonstration bool
	cfg           config
	log           zerolog.Logger

	registry *prometheus.Registry
	metrics  *metrics.Metrics
}

func newRoot(in io.Reader, out, errOut io.Writer) *cobra.Command {
	a := &app{in: in, out: out, errOut: errOut, registry: prometheus.NewRegistry()}
	a.metrics = metrics.New(a.registry, versionString())
	root := &cobra.Command{
		Use:   "gorgone",
		Short: "Keep the engagement counters of tweets fresh",
		Long: `Gorgone keeps the engagement counters of tweets (likes, retweets, replies,
quotes, views, bookmarks) fresh in Postgres and records their history, within
the rate limit and the price of a tweet look-up API.

Start here:
  gorgone up                everything on this machine, with made-up tweets
  gorgone dashboard         the address to see it in a browser
  gorgone stats             how the schedule is doing
  gorgone tweets            the tweets that move most, and their ids
  gorgone refresh ID        look one tweet up now
  gorgone history ID        what was seen of it

The other commands find a running "gorgone up" by its data folder. With
DATABASE_URL and NATS_URL set they use those instead; docs/configuration.md
lists every variable.

Exit codes: 0 done, 1 it failed, 2 bad usage or configuration, 3 not found,
4 no answer in time.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) (err error) {
			if a.cfg, err = loadConfig(); err != nil {
				return err
			}
			a.log = newLogger(errOut, a.cfg.Log)
			if names := unknownVariables(os.Environ()); len(names) > 0 {
				a.log.Warn().Strs("variables", names).Msg("variables that gorgone does not know; see docs/configuration.md")
			}
			return nil
		},
	}
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError("%w (see %q)", err, cmd.CommandPath()+" --help")
	})
	root.PersistentFlags().StringVar(&a.dataDir, "data-dir", ".gorgone", "folder of gorgone up: where it keeps its data, and how other commands find it")
	root.AddCommand(
		newDashboard(a),
		newUp(a), newDispatcher(a), newWorker(a), newWeb(a), newMigrate(a),
		newTrack(a), newRefresh(a), newStats(a), newTop(a), newCost(a), newHistory(a), newTweets(a), newDue(a), newPause(a), newResume(a), newSimulate(a),
		newProvider(a), newProbe(a), newDoctor(a), newDLQ(a), newAlert(a), newHealth(a), newBench(a), newDrill(a), newNATS(a), newToken(a), newQStash(a), newVersion(a),
	)
	answerGroups(root)
	root.SetHelpCommand(newHelp(root))
	return root
}

// answerGroups makes commands that only hold others show their help, and refuse
// words that name none of those.
func answerGroups(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		if c.HasSubCommands() {
			c.Args = func(c *cobra.Command, args []string) error {
				if len(args) > 0 {
					return unknownCommand(c, args[0])
				}
				return nil
			}
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
		answerGroups(c)
	}
}

func unknownCommand(of *cobra.Command, word string) error {
	var names []string
	for _, c := range of.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return usageError("unknown command %q for %q: there are %s", word, of.CommandPath(), strings.Join(names, ", "))
}

// newHelp is the help command of the library, but for a word that it does not know
// being an error.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show the help of a command",
		// Help is there whatever the configuration is like.
		PersistentPreRun: func(*cobra.Command, []string) {},
		RunE: func(_ *cobra.Command, args []string) error {
			of := root
			for _, word := range args {
				i := slices.IndexFunc(of.Commands(), func(c *cobra.Command) bool { return c.Name() == word })
				if i < 0 {
					return unknownCommand(of, word)
				}
				of = of.Commands()[i]
			}
			of.InitDefaultHelpFlag()
			return of.Help()
		},
	}
}

// exactArgs is cobra.ExactArgs with our exit code.
func exactArgs(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError("%s takes %d argument(s), got %d: %s", cmd.CommandPath(), n, len(args), cmd.UseLine())
		}
		return nil
	}
}

// sampledOf is of how many lines beyond the burst one is written.
const sampledOf = 100

// newLogger logs for people on a terminal, and as JSON lines elsewhere.
func newLogger(w io.Writer, c logConfig) zerolog.Logger {
	parsed, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		parsed = zerolog.InfoLevel // the configuration was checked before
	}
	if isTerminal(w) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly}
	}
	log := zerolog.New(zerolog.SyncWriter(w)).Level(parsed).With().Timestamp().Logger()
	if c.Burst > 0 {
		few := func() zerolog.Sampler {
			return &zerolog.BurstSampler{Burst: uint32(c.Burst), Period: time.Second, NextSampler: &zerolog.BasicSampler{N: sampledOf}}
		}
		log = log.Sample(zerolog.LevelSampler{DebugSampler: few(), InfoSampler: few()})
	}
	return log
}

func isTerminal(w any) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// printf writes a result. A reader that went away is no error of ours.
func (a *app) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(a.out, format, args...)
}
