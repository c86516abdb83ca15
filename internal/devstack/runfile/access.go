package runfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gorgone/web/auth"
)

// The secrets that a stack makes for this machine, files in its data folder.
const (
	TokenName      = "service-token" // may do everything
	WebhookKeyName = "webhook-key"   // for pushed tweets, where the configuration has no key for them
)

// MakeSecret returns a secret of the data folder, and makes it at the first start.
func MakeSecret(dataDir, name string) (string, error) {
	secret, err := ReadSecret(dataDir, name)
	if !errors.Is(err, os.ErrNotExist) {
		return secret, err
	}
	if secret, err = auth.NewToken(rand.Reader); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dataDir, name), []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write a secret: %w", err)
	}
	return secret, nil
}

// ReadSecret returns a secret of the data folder.
func ReadSecret(dataDir, name string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dataDir, name))
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// LoginURL returns the address of the dashboard with a login code in its fragment,
// which browsers do not send, so that the code gets into no log.
func LoginURL(url, code string) string { return url + "/#login=" + code }
