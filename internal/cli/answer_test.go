package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"gorgone/internal/testkit"
)

// silent are the commands whose output no program reads: those that run until they are
// stopped, those that speak a protocol of their own, and the library's. What top draws,
// stats prints as JSON.
var silent = []string{
	"gorgone up", "gorgone setup", "gorgone top", "gorgone provider", "gorgone dispatcher", "gorgone worker", "gorgone web", "gorgone mcp", "gorgone help", "gorgone completion",
}

// TestJSONOfEveryCommand walks all commands: what prints can print JSON.
func TestJSONOfEveryCommand(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if slices.ContainsFunc(silent, func(s string) bool { return strings.HasPrefix(c.CommandPath()+" ", s+" ") }) || c.Hidden {
			return
		}
		if !c.HasSubCommands() && c.Flags().Lookup("json") == nil {
			t.Errorf("%s prints and has no --json", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(New(strings.NewReader(""), &out, &out, ""))
}

// jsonOf reads what a command printed: one or more JSON values.
func jsonOf(t *testing.T, out string) (values []any) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var v any
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return values
		}
		if err != nil {
			t.Errorf("%q is not JSON: %v", out, err)
			return values
		}
		values = append(values, v)
	}
}

// TestJSONWithoutAnEngine: what needs neither database nor queue.
func TestJSONWithoutAnEngine(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version", "--json"}, {"token", "new", "--name", "cron", "--json"}} {
		var out, errOut bytes.Buffer
		c := New(strings.NewReader(""), &out, &errOut, "")
		c.SetArgs(args)
		testkit.Must(t, c.ExecuteContext(t.Context()))
		if len(jsonOf(t, out.String())) != 1 || strings.Contains(errOut.String(), "GORGONE_WEB_TOKENS") {
			t.Errorf("%v: %s%s", args, out.String(), errOut.String())
		}
	}
}
