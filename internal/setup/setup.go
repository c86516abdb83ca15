// Package setup asks for the settings that an installation needs and writes them into a file.
package setup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Setting is one variable of the environment.
type Setting struct {
	Name     string
	Value    string // known already; not asked for
	Question string
	Default  string // of an empty answer
	Secret   bool
	Optional bool // an empty answer leaves the variable out

	Check func(answer string) error // nil: any answer will do until all are there
}

// Terminal is where a person answers.
type Terminal struct {
	In     *bufio.Reader
	Out    io.Writer
	Hidden func() (string, error) // reads a line that is not shown
}

// Ask fills in what is not known, by a person's answers. Without a terminal (nil) it takes the
// defaults. The error names everything that is missing.
func Ask(settings []Setting, t *Terminal) error {
	var missing []string
	for i := range settings {
		s := &settings[i]
		for tries := 0; s.Value == "" && t != nil && tries < 3; tries++ {
			answer, err := t.ask(*s)
			if err != nil {
				return fmt.Errorf("read the answer: %w", err)
			}
			if answer != "" && s.Check != nil {
				if err := s.Check(answer); err != nil {
					if _, err := fmt.Fprintln(t.Out, err); err != nil {
						return fmt.Errorf("ask again: %w", err)
					}
					continue
				}
			}
			if s.Value = answer; answer == "" && (s.Optional || s.Default != "") {
				break
			}
		}
		if s.Value == "" {
			s.Value = s.Default
		}
		if s.Value == "" && !s.Optional {
			missing = append(missing, s.Name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not given: %s: set these variables, or run it in a terminal", strings.Join(missing, ", "))
	}
	return nil
}

func (t *Terminal) ask(s Setting) (string, error) {
	hint := ""
	switch {
	case s.Default != "":
		hint = " [" + s.Default + "]"
	case s.Optional:
		hint = " (optional)"
	}
	if _, err := fmt.Fprintf(t.Out, "%s%s: ", s.Question, hint); err != nil {
		return "", err
	}
	if s.Secret {
		line, err := t.Hidden()
		_, _ = fmt.Fprintln(t.Out)
		return strings.TrimSpace(line), err
	}
	line, err := t.In.ReadString('\n')
	if errors.Is(err, io.EOF) && line != "" {
		err = nil
	}
	return strings.TrimSpace(line), err
}

// ErrExists is returned by [Write] for a file that is there.
var ErrExists = errors.New("the file exists")

// Write writes the settings as lines that a shell, systemd and Docker Compose read alike. Only
// the owner may read the file. One that exists is replaced, whole or not at all, only if so
// asked.
func Write(file string, settings []Setting, replace bool) error {
	var text strings.Builder
	text.WriteString("# Written by gorgone setup. In a shell: set -a; . ./" + filepath.Base(file) + "; set +a\n")
	for _, s := range settings {
		if s.Value == "" {
			continue
		}
		if strings.ContainsAny(s.Value, "'\\\n\r\x00") {
			return fmt.Errorf("%s has a quote, a backslash or a line break, which not all readers of the file take: percent-encode it in an address", s.Name)
		}
		fmt.Fprintf(&text, "%s='%s'\n", s.Name, s.Value)
	}
	if _, err := os.Lstat(file); err == nil && !replace {
		return fmt.Errorf("%s: %w", file, ErrExists)
	}
	part, err := os.CreateTemp(filepath.Dir(file), ".gorgone-setup-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	defer os.Remove(part.Name()) //nolint:errcheck // it has another name by then
	_, err = part.WriteString(text.String())
	if err = errors.Join(err, part.Sync(), part.Close()); err == nil {
		if replace {
			err = os.Rename(part.Name(), file)
		} else if err = os.Link(part.Name(), file); errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s: %w", file, ErrExists)
		}
	}
	if err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	return nil
}
