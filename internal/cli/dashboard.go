package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"gorgone/internal/devstack/runfile"
)

func newDashboard(sh *shell) *cobra.Command {
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "dashboard",
		Short: "Print the address of the dashboard of a running gorgone up",
		Long: `Print the address of the dashboard of a running gorgone up, with a code that is
good for one login within twelve hours.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			running, err := runfile.Read(sh.dataDir)
			if err != nil {
				return err
			}
			url, err := sh.askForLogin(cmd.Context(), running.WebURL)
			if err != nil {
				return err
			}
			return sh.result(*asJSON, struct {
				URL string `json:"url"`
			}{url}, "%s", url)
		},
	}
	asJSON = jsonFlag(cmd)
	return cmd
}

// loginTime is how long a running up may take to answer.
const loginTime = 10 * time.Second

// askForLogin asks the running server for a code, with the token of its folder.
func (sh *shell) askForLogin(ctx context.Context, url string) (string, error) {
	token, err := runfile.ReadSecret(sh.dataDir, runfile.TokenName)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/session/code", bytes.NewReader(nil))
	if err != nil {
		return "", fmt.Errorf("ask for a login: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask for a login: %w", err)
	}
	defer res.Body.Close()
	var answer struct{ Code, Error string }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return "", fmt.Errorf("ask for a login: status %d: %w", res.StatusCode, err)
	}
	if answer.Code == "" || res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("ask for a login: %s", answer.Error)
	}
	return runfile.LoginURL(url, answer.Code), nil
}
