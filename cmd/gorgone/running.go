package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
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

const (
	runningFile = "running.json"
	lockFile    = "lock"
	logFile     = "gorgone.log"
)

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
	r, err := decodeRunning(data)
	if err != nil {
		return running{}, fmt.Errorf("read %s: %w: stop gorgone up and start it again", filepath.Join(dataDir, runningFile), err)
	}
	lock, err := lockDataDir(dataDir, syscall.LOCK_SH)
	if err == nil {
		lock.Close()
		return running{}, fmt.Errorf("%w in %s (process %d ended without a word)", errNotRunning, dataDir, r.PID)
	}
	if !errors.Is(err, errLocked) {
		return running{}, err
	}
	return r, nil
}

// decodeRunning reads what write wrote. Its errors repeat nothing of it.
func decodeRunning(data []byte) (r running, err error) {
	if err := json.Unmarshal(data, &r); err != nil {
		return running{}, errors.New("it is no description of a running gorgone")
	}
	if r.DatabaseURL == "" || r.NATSURL == "" {
		return running{}, errors.New("it lacks the address of the database or of the queue")
	}
	if u, err := url.Parse(r.WebURL); err != nil || u.Scheme != "http" || u.Host == "" {
		return running{}, errors.New("it lacks the address of the web server")
	}
	if !(r.Rate >= 0) || r.PID <= 0 {
		return running{}, errors.New("the rate or the process in it is impossible")
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

// errLocked is returned by lockDataDir when another process has the folder.
var errLocked = errors.New("gorgone up is running already")

// lockDataDir takes the lock that tells whether a "gorgone up" has the folder.
// The kernel drops it when the process ends, however that comes about; a process
// id would not do, because they come round again.
func lockDataDir(dataDir string, how int) (*os.File, error) {
	path := filepath.Join(dataDir, lockFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		f.Close()
		return nil, fmt.Errorf("%w in %s", errLocked, dataDir)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}
