package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// running is how other commands find a running "gorgone up". It holds
// passwords, so its file can be read by the owner only.
type running struct {
	PID         int       `json:"pid"`
	Started     time.Time `json:"started"`
	DatabaseURL string    `json:"database_url"`
	NATSURL     string    `json:"nats_url"`
	ProviderURL string    `json:"provider_url,omitempty"` // of the provider double
	ProviderKey string    `json:"provider_key,omitempty"`
	WebURL      string    `json:"web_url"`
	Rate        float64   `json:"rate"` // calls a second, which all replicas must agree on
}

const runningFile = "running.json"

// errNotRunning is returned when no "gorgone up" runs in the data folder.
var errNotRunning = errors.New("gorgone up is not running")

func readRunning(dataDir string) (running, error) {
	data, err := os.ReadFile(filepath.Join(dataDir, runningFile))
	if errors.Is(err, fs.ErrNotExist) {
		return running{}, fmt.Errorf("%w in %s", errNotRunning, dataDir)
	}
	if err != nil {
		return running{}, fmt.Errorf("find gorgone up: %w", err)
	}
	var r running
	if err := json.Unmarshal(data, &r); err != nil {
		return running{}, fmt.Errorf("read %s: %w", filepath.Join(dataDir, runningFile), err)
	}
	if !alive(r.PID) {
		return running{}, fmt.Errorf("%w in %s (process %d ended without a word)", errNotRunning, dataDir, r.PID)
	}
	return r, nil
}

// write makes the file whole or not at all.
func (r running) write(dataDir string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := filepath.Join(dataDir, runningFile)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func removeRunning(dataDir string) error {
	return os.Remove(filepath.Join(dataDir, runningFile))
}

// alive reports whether a process exists, ours or another's.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
