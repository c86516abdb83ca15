package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

// jsonFlag gives a command the flag --json, which result goes by.
func jsonFlag(cmd *cobra.Command) *bool { return cmd.Flags().Bool("json", false, "print JSON") }

// result prints v as JSON, or a line for people.
func (sh *shell) result(asJSON bool, v any, format string, args ...any) error {
	if !asJSON {
		sh.printf(format+"\n", args...)
		return nil
	}
	if err := json.NewEncoder(sh.out).Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}
