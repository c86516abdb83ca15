package address_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"gorgone/internal/address"
)

func TestCheckCredentials(t *testing.T) {
	t.Parallel()
	for raw, ok := range map[string]bool{
		"nats://host:4222":                     true,
		"nats://u:p%40ss@host:4222":            true,
		"nats://token@host":                    true,
		"nats://u:hush@hush@host:4222":         false,
		"nats://u:12/hush@host:4222":           false,
		"nats://u:12?hush@host:4222":           false,
		"nats://u:12#hush@host:4222":           false,
		"nats://u:p@host/hush@host":            false,
		"u:hush@host":                          false,
		"hush":                                 false,
		"tls://u:p@[::1]:4222":                 true,
		"nats://u:" + strings.Repeat("@", 100): false,
	} {
		err := address.CheckCredentials(raw, "/?#")
		if (err == nil) != ok {
			t.Errorf("%s: %v", raw, err)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error shows it: %v", raw, err)
		}
	}
}

func TestCheckPlain(t *testing.T) {
	t.Parallel()
	for raw, ok := range map[string]bool{
		"https://host": true, "http://127.0.0.1:8080/path": true,
		"https://u:hush@host": false, "https://u:hush/hush@host": false, "https://u:1/hush@host": false,
		"u:hush@host": false, "ftp://hush": false, "https://": false, "https://h%zzhush": false, "hush": false,
	} {
		err := address.CheckPlain(raw)
		if (err == nil) != ok {
			t.Errorf("%s: %v", raw, err)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error shows it: %v", raw, err)
		}
	}
}

func TestWithout(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	err := address.Without(fmt.Errorf("call: %w", &url.Error{Op: "Post", URL: "https://host/hush", Err: refused}))
	if !errors.Is(err, refused) || strings.Contains(err.Error(), "hush") {
		t.Error(err)
	}
	if got := address.Without(refused); !errors.Is(got, refused) {
		t.Error(got)
	}
}
