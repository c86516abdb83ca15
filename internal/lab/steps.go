package lab

import (
	"io"

	"gorgone/internal/cli/terminal"
)

// steps says how far a simulation is. A nil one says nothing.
type steps struct {
	bar  *terminal.Progress
	made int
}

func startSteps(out io.Writer, total int) *steps {
	s := &steps{bar: terminal.Start(out, "steps", total)}
	s.show()
	return s
}

// done counts n more steps.
func (s *steps) done(n int) {
	s.made += n
	s.show()
}

func (s *steps) show() { s.bar.Show(s.made) }

// clear makes room for figures.
func (s *steps) clear() {
	if s != nil {
		s.bar.Clear()
	}
}

func (s *steps) end() { s.clear() }
