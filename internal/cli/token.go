package cli

import (
	"crypto/rand"

	"github.com/spf13/cobra"

	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/web/auth"
)

func newToken(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Create tokens for services that call over HTTP",
		Args:  exactArgs(0),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var name, scopes string
	var asJSON *bool
	fresh := &cobra.Command{
		Use:   "new",
		Short: "Create a token and its entry for GORGONE_WEB_TOKENS",
		Long: `Create a token for a service. It is printed once, on standard output, and stored
nowhere; the entry on standard error goes into GORGONE_WEB_TOKENS and has only its
hash. To replace a token without downtime, list the new entry beside the old one,
under another name, and remove the old one when it is no longer used.

Scopes: dispatch, track, read, refresh, operate.`,
		Example: `  gorgone token new --name cron --scopes dispatch > cron.token`,
		Args:    exactArgs(0),
		RunE: func(*cobra.Command, []string) error {
			var wanted []auth.Scope
			for _, s := range config.List(scopes) {
				wanted = append(wanted, auth.Scope(s))
			}
			token, err := auth.NewToken(rand.Reader)
			if err != nil {
				return err
			}
			entry, err := auth.TokenEntry(name, wanted, token)
			if err != nil {
				return failure.Usagef("%w", err)
			}
			if *asJSON {
				return sh.result(true, struct {
					Token string `json:"token"`
					Entry string `json:"entry"` // for GORGONE_WEB_TOKENS
				}{token, entry}, "")
			}
			sh.printf("%s\n", token)
			_, err = sh.errOut.Write([]byte("GORGONE_WEB_TOKENS=" + entry + "\n"))
			return err
		},
	}
	asJSON = jsonFlag(fresh)
	fresh.Flags().StringVar(&name, "name", "", "name of the service, shown in logs")
	fresh.Flags().StringVar(&scopes, "scopes", "read", "permissions, comma separated")
	cmd.AddCommand(fresh)
	return cmd
}
