package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gorgone/web/auth"
)

// localLogin makes the local login of gorgone up, and the URL of its first use.
// There is none when others can reach the server; they need a token.
func (a *app) localLogin(addr net.Addr, url string) (*auth.Local, string, error) {
	local, err := auth.NewLocal(addr, rand.Reader, time.Now)
	if errors.Is(err, auth.ErrNotLocal) {
		a.log.Info().Msg("no local login to the dashboard, as others can reach it: paste the service token there")
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	code, err := local.Code()
	if err != nil {
		return nil, "", err
	}
	return local, loginURL(url, code), nil
}

// loginURL has the code in its fragment, which browsers do not send, so that it
// gets into no log.
func loginURL(url, code string) string { return url + "/#login=" + code }

func newDashboard(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "dashboard",
		Short: "Print the address at which a running gorgone up shows itself",
		Long: `Print the address of the dashboard of a running gorgone up, with a code that is
good for one login within twelve hours.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			running, err := readRunning(a.dataDir)
			if err != nil {
				return err
			}
			url, err := a.askForLogin(cmd.Context(), running.WebURL)
			if err != nil {
				return err
			}
			a.printf("%s\n", url)
			return nil
		},
	}
}

// loginTime is how long a running up may take to answer.
const loginTime = 10 * time.Second

// askForLogin asks the running server for a code, with the token of its folder.
func (a *app) askForLogin(ctx context.Context, url string) (string, error) {
	token, err := os.ReadFile(filepath.Join(a.dataDir, localTokenFile))
	if err != nil {
		return "", fmt.Errorf("read the token of gorgone up: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/session/code", bytes.NewReader(nil))
	if err != nil {
		return "", fmt.Errorf("ask for a login: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
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
	return loginURL(url, answer.Code), nil
}
