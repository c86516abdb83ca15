package report

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

// Author is who wrote a tweet, as its raw data tells. What that lacks is empty.
type Author struct {
	ID       string // the platform's
	Name     string // for people, at most 200 characters
	Username string // without the @
}

// usernames are what the platform allows.
var usernames = regexp.MustCompile(`^[A-Za-z0-9_]{1,15}$`)

// Author returns who wrote the tweet of a row of twitter_tweets; zero when its raw data
// does not tell, or when there is no such row.
func (r *Reader) Author(ctx context.Context, row uuid.UUID) (a Author, err error) {
	err = r.db.QueryRow(ctx, `
		select coalesce(`+postgres.AuthorID+`, ''),
			left(coalesce(raw_data->'author'->>'name', raw_data->'user'->>'name', ''), 200),
			coalesce(raw_data->'author'->>'userName', raw_data->'author'->>'username', raw_data->'user'->>'screen_name', '')
		from public.twitter_tweets where id = $1::uuid`, row).Scan(&a.ID, &a.Name, &a.Username)
	if errors.Is(err, pgx.ErrNoRows) {
		return Author{}, nil
	}
	if err != nil {
		return Author{}, fmt.Errorf("read the author of %s: %w", row, err)
	}
	if a.Name = strings.TrimSpace(a.Name); !usernames.MatchString(a.Username) {
		a.Username = ""
	}
	return a, nil
}
