package cli

import (
	"runtime"

	"github.com/spf13/cobra"
)

func newVersion(sh *shell) *cobra.Command {
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  exactArgs(0),
		RunE: func(*cobra.Command, []string) error {
			return sh.result(*asJSON, struct {
				Version string `json:"version"`
				Go      string `json:"go"`
				OS      string `json:"os"`
				Arch    string `json:"arch"`
			}{sh.version, runtime.Version(), runtime.GOOS, runtime.GOARCH},
				"gorgone %s %s %s/%s", sh.version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
	asJSON = jsonFlag(cmd)
	return cmd
}
