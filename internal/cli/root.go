// Package cli is the command line of gorgone, one file a command: it reads flags,
// calls and prints.
package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"gorgone/internal/app"
	"gorgone/internal/cli/budgets"
	"gorgone/internal/cli/clientkeys"
	"gorgone/internal/config"
	"gorgone/internal/failure"
)

// shell is what every command runs in.
type shell struct {
	in      io.Reader
	out     io.Writer // results
	errOut  io.Writer // logs and progress
	version string
	dataDir string

	// demonstration: the tweets of the running up are made up, and the key that is
	// set is a real one.
	demonstration bool
	cfg           config.Config
	log           zerolog.Logger
	process       *app.Process
}

// New returns the root command. version is that of the release build, or empty. What
// goes wrong is returned by its execution, for ExitCode.
func New(in io.Reader, out, errOut io.Writer, version string) *cobra.Command {
	sh := &shell{in: in, out: out, errOut: errOut, version: app.Version(version)}
	root := &cobra.Command{
		Use:     "gorgone",
		Version: sh.version,
		Short:   "Keep the engagement counters of tweets fresh",
		Long: `Gorgone keeps the engagement counters of tweets (likes, retweets, replies,
quotes, views, bookmarks) fresh in Postgres and records their history, within
the rate limit and the price of a tweet look-up API.

Start here:
  gorgone up                everything on this machine, with made-up tweets
  gorgone dashboard         the address to see it in a browser
  gorgone stats             the state of the schedule
  gorgone tweets            the most active tweets and their ids
  gorgone refresh ID        look a tweet up now
  gorgone history ID        the snapshots of a tweet

The other commands find a running "gorgone up" by its data folder. With
DATABASE_URL and NATS_URL set they use those instead; docs/configuration.md
lists every variable.

Exit codes: 0 done, 1 it failed, 2 bad usage or configuration, 3 not found,
4 no answer in time.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cmd.HasSubCommands() {
				return nil // it only shows its help
			}
			if err := cmd.ValidateFlagGroups(); err != nil {
				return failure.Usagef("%w (see %q)", err, cmd.CommandPath()+" --help")
			}
			if sh.cfg, err = config.Load(); err != nil {
				return err
			}
			sh.log = app.NewLogger(errOut, sh.cfg.Log)
			if err := app.TuneGC(); err != nil {
				sh.log.Warn().Err(err).Msg("the garbage collector goes by its defaults")
			}
			sh.process = app.NewProcess(groupOf(cmd), sh.version, sh.log)
			if names := config.Unknown(); len(names) > 0 {
				sh.log.Warn().Strs("variables", names).Msg("variables that gorgone does not know; see docs/configuration.md")
			}
			return nil
		},
	}
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return failure.Usagef("%w (see %q)", err, cmd.CommandPath()+" --help")
	})
	root.PersistentFlags().StringVar(&sh.dataDir, "data-dir", ".gorgone", "data folder of gorgone up, by which other commands find it")
	root.AddCommand(
		newDashboard(sh),
		newUp(sh), newDispatcher(sh), newWorker(sh), newWeb(sh), newSetup(sh), newMigrate(sh),
		newTrack(sh), newRefresh(sh), newStats(sh), newTop(sh), newCost(sh), budgets.Command(sh.openDatabase, whoami, out), clientkeys.Command(clientkeys.Parts{
			Open: sh.openDatabase, Secrets: func() string { return string(sh.cfg.KeySecrets.Sealing) }, By: whoami, In: in, Out: out, ErrOut: errOut,
		}), newHistory(sh), newRetention(sh), newTweets(sh), newDue(sh), newSchedule(sh), newPause(sh), newResume(sh),
		newProvider(sh), newProbe(sh), newDoctor(sh), newDLQ(sh), newAlert(sh), newHealth(sh), newNATS(sh), newToken(sh), newMCP(sh), newQStash(sh), newVersion(sh),
	)
	for _, name := range []string{"bench", "drill", "simulate"} {
		root.AddCommand(newMoved(name))
	}
	answerGroups(root)
	root.SetHelpCommand(newHelp(root))
	return root
}

// newMoved answers a command that gorgone-lab has now.
func newMoved(name string) *cobra.Command {
	return &cobra.Command{
		Use: name, Hidden: true, DisableFlagParsing: true,
		// Whatever the configuration is like, this is the answer.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return failure.Usagef("%q is a command of its own now: run %q", cmd.CommandPath(), "gorgone-lab "+name)
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
}

// answerGroups makes commands that only hold others show their help, and refuse
// words that name none of those.
func answerGroups(c *cobra.Command) {
	if c.HasSubCommands() {
		c.Args = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(c, args[0])
			}
			return nil
		}
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	for _, sub := range c.Commands() {
		answerGroups(sub)
	}
}

func unknownCommand(of *cobra.Command, word string) error {
	var names []string
	for _, c := range of.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return failure.Usagef("unknown command %q for %q: there are %s", word, of.CommandPath(), strings.Join(names, ", "))
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
			return failure.Usagef("%s takes %d argument(s), got %d: %s", cmd.CommandPath(), n, len(args), cmd.UseLine())
		}
		return nil
	}
}

// groupOf is the name of a command, or of the group that it belongs to.
func groupOf(c *cobra.Command) string {
	for c.HasParent() && c.Parent().HasParent() {
		c = c.Parent()
	}
	return c.Name()
}

// printf writes a result. A reader that went away is no error of ours.
func (sh *shell) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(sh.out, format, args...)
}
