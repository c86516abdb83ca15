package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// KeepIn keeps sessions in a file, so that they outlive the process, and takes up those
// that are there. The file holds hashes: who reads it cannot sign in with it. A file that
// cannot be understood holds no sessions.
func (l *Local) KeepIn(file string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file = file
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the sessions of the local login: %w", err)
	}
	var kept map[string]time.Time
	if json.Unmarshal(text, &kept) != nil {
		return nil
	}
	now := l.now()
	for name, until := range kept {
		hash, err := hex.DecodeString(name)
		if err == nil && len(hash) == sha256.Size && now.Before(until) && !until.After(now.Add(sessionLife)) && len(l.sessions) < maxLocal {
			l.sessions[[sha256.Size]byte(hash)] = until
		}
	}
	return nil
}

// write writes the file, all of it or nothing. It is called with the lock held.
func (l *Local) write() error {
	if l.file == "" {
		return nil
	}
	kept := make(map[string]time.Time, len(l.sessions))
	for hash, until := range l.sessions {
		kept[hex.EncodeToString(hash[:])] = until
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("encode the sessions of the local login: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(l.file), filepath.Base(l.file)+".*") // for its owner only
	if err != nil {
		return fmt.Errorf("keep the sessions of the local login: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), l.file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("keep the sessions of the local login: %w", err)
	}
	return nil
}
