package main

import (
	"crypto/rand"

	"github.com/spf13/cobra"

	"gorgone/web/auth"
)

func newToken(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make tokens for services that call over HTTP",
		Args:  exactArgs(0),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var name, scopes string
	fresh := &cobra.Command{
		Use:   "new",
		Short: "Make a token, and the entry by which gorgone web knows it",
		Long: `Make a token for a service. It is printed on standard output once and kept
nowhere; the entry on standard error goes into GORGONE_WEB_TOKENS and holds its
hash only. To change a token without a gap, list the new entry beside the old
one, under another name, and take the old one out when nobody uses it any more.

Scopes: dispatch, track, read, refresh, operate.`,
		Example: `  gorgone token new --name cron --scopes dispatch > cron.token`,
		Args:    exactArgs(0),
		RunE: func(*cobra.Command, []string) error {
			var wanted []auth.Scope
			for _, s := range list(scopes) {
				wanted = append(wanted, auth.Scope(s))
			}
			token, err := auth.NewToken(rand.Reader)
			if err != nil {
				return err
			}
			entry, err := auth.TokenEntry(name, wanted, token)
			if err != nil {
				return usageError("%w", err)
			}
			a.printf("%s\n", token)
			_, err = a.errOut.Write([]byte("GORGONE_WEB_TOKENS=" + entry + "\n"))
			return err
		},
	}
	fresh.Flags().StringVar(&name, "name", "", "what to call the service in logs")
	fresh.Flags().StringVar(&scopes, "scopes", "read", "what it may do, comma separated")
	cmd.AddCommand(fresh)
	return cmd
}
