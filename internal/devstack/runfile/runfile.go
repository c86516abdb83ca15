// Package runfile is how other commands find a running "gorgone up": a file in its
// data folder, and the lock that tells whether it is true.
package runfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gorgone/internal/config"
	"gorgone/internal/failure"
)

// File describes a running "gorgone up". It holds passwords, so only its owner can
// read it.
type File struct {
	PID         int       `json:"pid"`
	Started     time.Time `json:"started"`
	DatabaseURL string    `json:"database_url"`
	NATSURL     string    `json:"nats_url"`

	// RefresherURL is for programs that only ask for refreshes.
	RefresherURL string `json:"nats_refresher_url,omitempty"`

	ProviderURL string  `json:"provider_url,omitempty"` // of the fake provider
	ProviderKey string  `json:"provider_key,omitempty"`
	WebURL      string  `json:"web_url"`
	Rate        float64 `json:"rate"` // calls a second, which all replicas must agree on

	// Settings is nil in the file of an earlier version.
	Settings *Settings `json:"settings,omitempty"`
}

// Settings are those of the stack that its other commands go by, whatever is set where
// they run: what is due when, what it may cost, and how long it is kept.
type Settings struct {
	Schedule     config.Schedule  `json:"schedule"`
	Cost         config.Cost      `json:"cost"`
	Retention    config.Retention `json:"retention"`
	StreamPrefix string           `json:"stream_prefix"`
	Provider     string           `json:"provider"` // its name, to which the prices belong
}

// SettingsOf returns the settings of a configuration that others go by.
func SettingsOf(cfg config.Config) *Settings {
	return &Settings{
		Schedule: cfg.Schedule, Cost: cfg.Cost, Retention: cfg.Retention, StreamPrefix: cfg.Queue.Prefix, Provider: cfg.Provider.Name,
	}
}

// apply puts the settings into a configuration.
func (s *Settings) apply(cfg *config.Config) {
	cfg.Schedule, cfg.Cost, cfg.Retention = s.Schedule, s.Cost, s.Retention
	cfg.Queue.Prefix, cfg.Provider.Name = s.StreamPrefix, s.Provider
}

// The files in the data folder.
const (
	Name     = "running.json" // the file
	LockName = "lock"         // locked while a stack has the folder
)

// ErrNotRunning is returned when no "gorgone up" runs in the data folder.
var ErrNotRunning = errors.New("gorgone up is not running")

// Read returns the description of the stack that runs in a data folder. Its error is
// ErrNotRunning when there is none.
func Read(dataDir string) (File, error) {
	data, err := os.ReadFile(filepath.Join(dataDir, Name))
	if errors.Is(err, fs.ErrNotExist) {
		return File{}, fmt.Errorf("%w in %s", ErrNotRunning, dataDir)
	}
	if err != nil {
		return File{}, fmt.Errorf("find gorgone up: %w", err)
	}
	r, err := decode(data)
	if err != nil {
		return File{}, fmt.Errorf("read %s: %w: stop gorgone up and start it again", filepath.Join(dataDir, Name), err)
	}
	held, err := lock(dataDir, syscall.LOCK_SH)
	if err == nil {
		held.Close()
		return File{}, fmt.Errorf("%w in %s (process %d has died)", ErrNotRunning, dataDir, r.PID)
	}
	if !errors.Is(err, ErrLocked) {
		return File{}, err
	}
	return r, nil
}

// decode reads what Write wrote. Its errors repeat nothing of it.
func decode(data []byte) (r File, err error) {
	if err := json.Unmarshal(data, &r); err != nil {
		return File{}, errors.New("it is no description of a running gorgone")
	}
	if r.DatabaseURL == "" || r.NATSURL == "" {
		return File{}, errors.New("it lacks the address of the database or of the queue")
	}
	if u, err := url.Parse(r.WebURL); err != nil || u.Scheme != "http" || u.Host == "" {
		return File{}, errors.New("it lacks the address of the web server")
	}
	if !(r.Rate >= 0) || r.PID <= 0 {
		return File{}, errors.New("the rate or the process in it is impossible")
	}
	return r, nil
}

// Write writes the whole file or none of it.
func (r File) Write(dataDir string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := filepath.Join(dataDir, Name)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Remove removes the file.
func Remove(dataDir string) error {
	return os.Remove(filepath.Join(dataDir, Name))
}

// ErrLocked is returned by Lock when another process has the folder.
var ErrLocked = errors.New("gorgone up is running already")

// Lock takes the lock that tells whether a stack has the folder, until the file is
// closed. The kernel drops it when the process ends, however that comes about; a
// process id would not do, because they come round again.
func Lock(dataDir string) (io.Closer, error) { return lock(dataDir, syscall.LOCK_EX) }

func lock(dataDir string, how int) (io.Closer, error) {
	path := filepath.Join(dataDir, LockName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		f.Close()
		return nil, fmt.Errorf("%w in %s", ErrLocked, dataDir)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// Locate fills in what the configuration leaves out from the stack that runs in a data
// folder, and replaces what that stack decides. demonstration reports that the tweets of that stack are made up, though the
// configuration has the key of a real provider.
func Locate(cfg *config.Config, dataDir string) (demonstration bool, err error) {
	if cfg.Database.URL != "" && cfg.Queue.URL != "" && cfg.Provider.Key != "" {
		return false, nil
	}
	r, err := Read(dataDir)
	if errors.Is(err, ErrNotRunning) {
		if cfg.Database.URL == "" {
			return false, fmt.Errorf("no database: %w; start it, name its folder with --data-dir, or set DATABASE_URL", err)
		}
		return false, nil // opening the queue or the provider says so, when it is needed
	}
	if err != nil {
		return false, err
	}
	// The database and the queue belong together: claims made in one must be
	// published to the workers of the same.
	if cfg.Database.URL != "" || cfg.Queue.URL != "" {
		if cfg.Database.URL == "" {
			return false, failure.Usagef("NATS_URL is set and DATABASE_URL is not: set both, or neither to use the running gorgone up")
		}
		return false, nil
	}
	cfg.Database.URL, cfg.Queue.URL = config.Secret(r.DatabaseURL), config.Secret(r.NATSURL)
	if r.Settings != nil {
		r.Settings.apply(cfg)
	}
	if cfg.Provider.Key == "" {
		cfg.Provider.Key, cfg.Provider.URL, cfg.Provider.Rate = config.Secret(r.ProviderKey), r.ProviderURL, r.Rate
		return false, nil
	}
	return r.ProviderURL != "", nil
}
