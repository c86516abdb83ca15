package postgres

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"time"

	"github.com/pressly/goose/v3"
)

// A migration waits for a lock on a table of the product behind the transactions that use
// it, and everybody who comes later waits behind the migration. So it waits for a moment
// only, and is tried again when others had their turn.
const (
	briefLock     = "100ms"
	briefLockRest = 500 * time.Millisecond
	briefLockFor  = 5 * time.Minute
)

// migrateUp applies the migrations that are missing, and returns what was done.
func migrateUp(ctx context.Context, provider *goose.Provider) (results []*goose.MigrationResult, err error) {
	ctx, cancel := context.WithTimeout(ctx, briefLockFor)
	defer cancel()
	tick := time.NewTicker(briefLockRest)
	defer tick.Stop()
	for {
		done, err := provider.Up(ctx)
		results = append(results, done...)
		if err == nil {
			return results, nil
		}
		if partial, ok := err.(*goose.PartialError); ok { //nolint:errorlint // it is returned as it is
			results, err = append(results, partial.Applied...), partial
			if !HasCode(partial.Err, CodeLockNotAvailable) {
				return results, err
			}
		} else if !HasCode(err, CodeLockNotAvailable) {
			return results, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return results, fmt.Errorf("a table is in use by transactions that hold it for long (see pg_stat_activity); "+
				"end them and run gorgone migrate again, which goes on from here: %w", err)
		}
	}
}

// briefLocks are migration files, of which each waits for a lock for a moment only.
type briefLocks struct{ fs.FS }

const upward = "-- +goose Up\n" //nolint:gosec // a heading

var ownTimeout = regexp.MustCompile(`(?m)^SET LOCAL lock_timeout = .*;$`)

// Open implements [fs.FS].
func (b briefLocks) Open(name string) (fs.File, error) {
	file, err := b.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil || info.IsDir() {
		return file, err
	}
	_ = file.Close() // it is read whole below
	text, err := fs.ReadFile(b.FS, name)
	if err != nil {
		return nil, err
	}
	text = ownTimeout.ReplaceAll(text, nil)
	text = bytes.Replace(text, []byte(upward), []byte(upward+"SET LOCAL lock_timeout = '"+briefLock+"';\n"), 1)
	return &textFile{Reader: bytes.NewReader(text), info: info}, nil
}

// textFile is a file that was read.
type textFile struct {
	*bytes.Reader

	info fs.FileInfo
}

// Stat implements [fs.File].
func (f *textFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close implements [fs.File].
func (f *textFile) Close() error { return nil }
