package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gorgone/engagement"
)

// A tweet that is there (Jack Dorsey's first) and an id that never was one.
const (
	goodTweet = "20"
	badTweet  = "1000000000000000001"
)

func newProbe(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "probe [ID ...]",
		Short: "Make one look-up and show what the provider answers",
		Long: `Make one look-up call and show the answer as it came, and as it was understood.
Without ids it asks for one tweet that is there and one that is not.

With a real key this costs what a look-up costs: at twitterapi.io 15 credits a
tweet returned. It does not wait for the shared pace and writes nothing.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var faults []error
			for _, id := range args {
				faults = append(faults, engagement.CheckTweetID(id))
			}
			if err := errors.Join(faults...); err != nil {
				return usageError("%w", err)
			}
			if err := a.locate(); err != nil && a.cfg.Provider.Key == "" {
				return err
			}
			p, err := a.openProvider(a.cfg.Provider, time.Now)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				args = a.probed(cmd.Context())
			}
			if most := p.maxIDs(); len(args) > most {
				return usageError("%d tweet ids: a call takes %d at most", len(args), most)
			}
			r := p.probe(cmd.Context(), args)
			a.printf("%s answered %d in %s\n", r.Provider, r.Status, r.Duration.Round(time.Millisecond))
			var names []string
			for name := range r.Header {
				names = append(names, name)
			}
			slices.Sort(names)
			for _, name := range names {
				a.printf("  %s: %s\n", name, r.Header.Get(name))
			}
			a.printf("%s\n", r.Body)
			for _, f := range r.Answer.Found {
				m, err := json.Marshal(f.Metrics)
				if err != nil {
					return err
				}
				a.printf("found      %s posted %s %s\n", f.ID, f.CreatedAt.Format(time.DateTime), m)
			}
			for _, m := range r.Answer.Missing {
				a.printf("missing    %s %s\n", m.ID, m.Reason)
			}
			for _, u := range r.Answer.Unresolved {
				a.printf("unresolved %s: %v\n", u.ID, u.Err)
			}
			if r.Err != nil {
				return fmt.Errorf("probe: %w", r.Err)
			}
			return nil
		},
	}
}

// probed is a tweet that is there and one that is not. A demonstration's double
// knows none but its own, of which the oldest was surely posted.
func (a *app) probed(ctx context.Context) []string {
	good := goodTweet
	if a.cfg.Provider.Key == demoKey {
		if oldest, err := oldestOfDouble(ctx, a.cfg.Provider.URL); err == nil {
			good = oldest
		} else {
			a.log.Warn().Err(err).Msg("the double of the provider did not say which tweets it has")
		}
	}
	return []string{good, badTweet}
}

func oldestOfDouble(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/_double/tweets", nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	type tweet struct {
		ID        string    `json:"id"`
		CreatedAt time.Time `json:"created_at"`
	}
	var oldest tweet
	for lines := json.NewDecoder(res.Body); lines.More(); {
		var t tweet
		if err := lines.Decode(&t); err != nil {
			return "", fmt.Errorf("read the double's tweets: %w", err)
		}
		if oldest.ID == "" || t.CreatedAt.Before(oldest.CreatedAt) {
			oldest = t
		}
	}
	if oldest.ID == "" {
		return "", errors.New("it has none")
	}
	return oldest.ID, nil
}
