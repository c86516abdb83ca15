// Package lab is the command gorgone-lab: what measures, breaks and simulates
// Gorgone, and is no part of the product.
package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"gorgone/internal/app"
	"gorgone/internal/config"
	"gorgone/internal/failure"
)

// shell is what every command runs in.
type shell struct {
	out     io.Writer // results
	errOut  io.Writer // logs and progress
	dataDir string
	program string // of gorgone; "": to be found
	version string
	cfg     config.Config
	log     zerolog.Logger
}

// NewCommand returns the command gorgone-lab. Results go to out, logs to errOut. Its
// errors have kinds; see [failure.KindOf].
func NewCommand(out, errOut io.Writer, version string) *cobra.Command {
	sh := &shell{out: out, errOut: errOut, version: version}
	root := &cobra.Command{
		Use:     "gorgone-lab",
		Version: version,
		Short:   "Measure Gorgone, break it, and simulate its schedules",
		Long: `Measure Gorgone on this machine, let everything go wrong around it, and replay
tweets through its schedules. Nothing here is needed to run Gorgone.

Exit codes: 0 done, 1 it failed, 2 bad usage or configuration.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cmd.HasSubCommands() {
				return nil // it only shows its help
			}
			if sh.cfg, err = config.Load(); err != nil {
				return err
			}
			sh.log = app.NewLogger(errOut, sh.cfg.Log)
			return nil
		},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return failure.Usagef("unknown command %q for %q (see %q)", args[0], cmd.CommandPath(), "gorgone-lab --help")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return failure.Usagef("%w (see %q)", err, cmd.CommandPath()+" --help")
	})
	root.AddCommand(newBench(sh), newDrill(sh), newMonth(sh), newScale(sh), newSimulate(sh), newSignals(sh), newBills(sh))
	return root
}

// noArgs is cobra.NoArgs with an error of kind failure.Usage.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return failure.Usagef("%s takes no arguments, got %q", cmd.CommandPath(), args)
	}
	return nil
}

// programFlag adds the flag that names the binary under test.
func (sh *shell) programFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&sh.program, "gorgone", "", "the gorgone program to run (default: the one beside gorgone-lab, or else in PATH)")
}

// findProgram returns the path of the gorgone program.
func (sh *shell) findProgram() (string, error) {
	if sh.program != "" {
		path, err := exec.LookPath(sh.program)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			return "", failure.Usagef("--gorgone: %w", err)
		}
		return path, nil
	}
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), "gorgone")); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath("gorgone")
	if errors.Is(err, exec.ErrNotFound) {
		return "", failure.Usagef("there is no gorgone beside gorgone-lab, nor in PATH: build it, or name it with --gorgone")
	}
	return path, err
}

// printf writes a result. A reader that went away is no error.
func (sh *shell) printf(format string, args ...any) { _, _ = fmt.Fprintf(sh.out, format, args...) }
