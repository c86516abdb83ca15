package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/twitter"
	"gorgone/web/answers"
)

// A tweet that is there (Jack Dorsey's first) and an id that never was one.
const (
	goodTweet = "20"
	badTweet  = "1000000000000000001"
)

func newProbe(sh *shell) *cobra.Command {
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "probe [ID ...]",
		Short: "Make one look-up and show the provider's answer",
		Long: `Make one look-up call and show the raw answer and how it was decoded. Without ids,
ask for one tweet that exists and one that does not.

With a real key this costs what a look-up costs: at twitterapi.io 15 credits a
tweet returned. It does not wait for the shared rate and writes nothing.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			args, err := sh.tweetIDs(cmd.Context(), args)
			if err != nil {
				return err
			}
			if err := sh.locate(); err != nil && sh.cfg.Provider.Key == "" {
				return err
			}
			providers, err := sh.process.OpenProviders(sh.cfg.Provider, time.Now)
			if err != nil {
				return err
			}
			p := providers[0]
			if len(args) == 0 {
				args = sh.probed(cmd.Context())
			}
			if most := p.MaxIDs(); len(args) > most {
				return failure.Usagef("%d tweet ids: a call takes %d at most", len(args), most)
			}
			r := p.Probe(cmd.Context(), args)
			if *asJSON {
				return errors.Join(sh.probeJSON(r), r.Err)
			}
			sh.printf("%s answered %d in %s\n", r.Provider, r.Status, r.Duration.Round(time.Millisecond))
			var names []string
			for name := range r.Header {
				names = append(names, name)
			}
			slices.Sort(names)
			for _, name := range names {
				sh.printf("  %s: %s\n", name, r.Header.Get(name))
			}
			sh.printf("%s\n", r.Body)
			for _, f := range r.Answer.Found {
				m, err := json.Marshal(f.Metrics)
				if err != nil {
					return err
				}
				sh.printf("found      %s posted %s %s\n", f.ID, f.CreatedAt.Format(time.DateTime), m)
			}
			for _, m := range r.Answer.Missing {
				sh.printf("missing    %s %s\n", m.ID, m.Reason)
			}
			for _, u := range r.Answer.Unresolved {
				sh.printf("unresolved %s: %v\n", u.ID, u.Err)
			}
			if r.Err != nil {
				return fmt.Errorf("probe: %w", r.Err)
			}
			return nil
		},
	}
	asJSON = jsonFlag(cmd)
	return cmd
}

// probeJSON prints what a probe brought.
func (sh *shell) probeJSON(r twitter.ProbeResult) error {
	type absent struct {
		TweetID string `json:"tweet_id"`
		Reason  string `json:"reason"`
	}
	type found struct {
		TweetID string          `json:"tweet_id"`
		Posted  time.Time       `json:"twitter_created_at"`
		Metrics answers.Metrics `json:"metrics"`
	}
	line := struct {
		Provider   string      `json:"provider"`
		Status     int         `json:"status"`
		Seconds    float64     `json:"duration_seconds"`
		Header     http.Header `json:"header"`
		Body       string      `json:"body"`
		Found      []found     `json:"found"`
		Missing    []absent    `json:"missing"`
		Unresolved []absent    `json:"unresolved"`
	}{r.Provider, r.Status, r.Duration.Seconds(), r.Header, string(r.Body), []found{}, []absent{}, []absent{}}
	for _, f := range r.Answer.Found {
		line.Found = append(line.Found, found{f.ID, f.CreatedAt, answers.MetricsOf(f.Metrics)})
	}
	for _, m := range r.Answer.Missing {
		line.Missing = append(line.Missing, absent{m.ID, m.Reason})
	}
	for _, u := range r.Answer.Unresolved {
		line.Unresolved = append(line.Unresolved, absent{u.ID, u.Err.Error()})
	}
	return sh.result(true, line, "")
}

// probed is a tweet that is there and one that is not. A demonstration's fake provider
// knows none but its own, of which the oldest was surely posted.
func (sh *shell) probed(ctx context.Context) []string {
	good := goodTweet
	if sh.cfg.Provider.Key == config.DemoKey {
		if oldest, err := oldestOfDouble(ctx, sh.cfg.Provider.URL); err == nil {
			good = oldest
		} else {
			sh.log.Warn().Err(err).Msg("the fake provider did not say which tweets it has")
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
			return "", fmt.Errorf("read the fake provider's tweets: %w", err)
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
