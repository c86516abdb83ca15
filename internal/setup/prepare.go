package setup

import (
	"bufio"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"gorgone/internal/config"
	"gorgone/internal/failure"
)

// Prepare completes the configuration by asking, and writes it into a file. One that exists is
// replaced only with force, or when a person says so.
func Prepare(in io.Reader, out io.Writer, file string, force bool, c *config.Config) error {
	settings, terminal := Questions(*c), open(in, out)
	if _, err := os.Lstat(file); err == nil && !force {
		again := []Setting{{Name: "an answer", Question: file + " exists. Replace it? yes or no", Default: "no"}}
		if err := Ask(again, terminal); err != nil {
			return err
		}
		if force = again[0].Value == "yes"; !force {
			return failure.Usagef("%s exists, and was not changed: name another --file, or replace it with --force", file)
		}
	}
	if err := Ask(settings, terminal); err != nil {
		return failure.Usagef("%w", err)
	}
	if err := Apply(settings, c); err != nil {
		return err
	}
	if err := Write(file, settings, force); err != nil {
		return failure.Usagef("%w", err)
	}
	return nil
}

// open is nil where no person can answer.
func open(in io.Reader, out io.Writer) *Terminal {
	f, ok := in.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return &Terminal{In: bufio.NewReader(in), Out: out, Hidden: func() (string, error) {
		line, err := term.ReadPassword(int(f.Fd()))
		return string(line), err
	}}
}

// Left says what is left to do once all is set up.
func Left(file string, cron bool) string {
	if !strings.Contains(file, "/") {
		file = "./" + file // without a slash, a shell looks along its PATH
	}
	left := []string{"what is left:", "read the settings: set -a; . " + quoted(file) + "; set +a"}
	if cron {
		left = append(left, "set QSTASH_CURRENT_SIGNING_KEY and QSTASH_NEXT_SIGNING_KEY for gorgone web, and run gorgone worker and gorgone web")
	} else {
		left = append(left, "run gorgone dispatcher, gorgone worker and gorgone web, at least one of each")
	}
	left = append(left, "track tweets: gorgone track --new-zone NAME ID, or gorgone track --all-untracked",
		"say how long history is kept: gorgone retention", "see that all is well: gorgone doctor")
	return strings.Join(left, "\n  ") + "\n"
}

// quoted is a word of a shell's.
func quoted(word string) string {
	if !strings.ContainsAny(word, " \t'\"\\$`&;()<>|*?[]#~!{}") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
