package twitter_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorgone/internal/testkit"
	"gorgone/twitter"
)

// answers are those in testdata/answers: as providers were seen to give them, or could,
// and what becomes of each tweet that was asked for, in order. A tweet is its counts (-
// where there is none) and after ? the counters that cannot be read.
var answers = map[string]struct {
	kind   string
	says   string
	tweets []string
	strays int
}{
	"twitterapi_counts_as_text": {tweets: []string{"10 2 30 1 100 0", "1 0 4 0 1520 2"}},
	// What is embedded in another tweet is no answer to the question.
	"twitterapi_views_null_and_an_embedded_tweet": {tweets: []string{"10 2 30 1 - -", "missing"}},
	"twitterapi_tombstones":                       {tweets: []string{"missing " + twitter.ReasonNotAuthorized, "1 0 4 0 - -", "missing"}, strays: 1},
	"twitterapi_negative_fraction_exponent_object": {tweets: []string{
		"1 0 4 0 - 0 ?views", "1 0 4 0 12 -", "1 0 4 0 1200000 -", "1 0 4 0 - - ?views",
	}},
	"twitterapi_no_list":                {kind: twitter.KindMalformed, says: "no list of tweets"},
	"twitterapi_duplicates_and_a_stray": {tweets: []string{"1 0 4 0 12 -", "1 0 4 0 12 -"}, strays: 1},
	"twitterapi_no_credit_with_200":     {kind: twitter.KindOutOfCredit, says: "Please recharge"},
	"twitterapi_challenge_page":         {kind: twitter.KindFault, says: "a node in front of it"},
	"x_protected_old_form":              {tweets: []string{"missing " + twitter.ReasonNotAuthorized}},
	// The likes and views of a retweet are not 0: it has none of its own.
	"x_retweets":                {tweets: []string{"393 - - - - -", "42 - - - - -"}},
	"x_field_not_hydrated":      {tweets: []string{"unresolved", "1 0 0 0 - -"}},
	"x_trouble_with_an_account": {tweets: []string{"1 0 0 0 - -", "missing"}},
	"x_usage_cap":               {kind: twitter.KindOutOfCredit, says: "Monthly product cap"},
	"x_app_without_project":     {kind: twitter.KindUnauthorized, says: "attached to a Project"},
	// The window has calls left; the day's limit rests until its own end.
	"x_day_limit":     {kind: twitter.KindRateLimited, says: "rate limited for 14h6m40s, " + twitter.LimitDay},
	"x_single_object": {tweets: []string{"1 0 0 0 - -"}},
	"x_edited":        {tweets: []string{"5 0 7 0 50 0", "5 0 7 0 50 0"}},
	// What the vendor's pages show: the text under another name, a count that is not known.
	"socialdata_tweet":                {tweets: []string{"41 18 311 7 60250 -", "missing"}},
	"socialdata_quote_and_retweet":    {tweets: []string{"10 2 30 1 100 0", "42 - - - - -"}},
	"socialdata_rounded_id":           {tweets: []string{"1 0 4 0 12 -"}},
	"socialdata_no_balance":           {kind: twitter.KindOutOfCredit, says: "Insufficient balance"},
	"socialdata_no_balance_with_200":  {kind: twitter.KindOutOfCredit, says: "Insufficient balance"},
	"socialdata_failed_with_200":      {kind: twitter.KindFault, says: "try again later"},
	"socialdata_too_many_attempts":    {kind: twitter.KindRateLimited, says: "rate limited for 17s"},
	"socialdata_unauthenticated":      {kind: twitter.KindUnauthorized, says: "Unauthenticated"},
	"socialdata_page_of_its_own_edge": {kind: twitter.KindFault, says: "a node in front of it"},
	"x_id_in_a_list":                  {tweets: []string{"1 0 0 0 - -", "missing " + twitter.ReasonNotFound}},
}

func TestAnswersOfProviders(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/answers/*.http")
	testkit.Must(t, err)
	if len(files) != len(answers) {
		t.Errorf("%d files, and %d of them are known: %v", len(files), len(answers), slices.Sorted(maps.Keys(answers)))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".http")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, known := answers[name]
			if !known {
				t.Fatal("it is not said what becomes of it")
			}
			ids, answer, err := answered(t, file)
			if err != nil || want.kind != "" {
				if twitter.Kind(err) != want.kind || !strings.Contains(fmt.Sprint(err), want.says) {
					t.Errorf("%v; want %s that says %q", err, want.kind, want.says)
				}
				return
			}
			if got := outcomes(ids, answer); !slices.Equal(got, want.tweets) || answer.Strays != want.strays {
				t.Errorf("%q, %d strays; want %q, %d", got, answer.Strays, want.tweets, want.strays)
			}
		})
	}
}

// answered asks a server that answers what is in the file, whose first line says the
// provider and the ids to ask for.
func answered(t *testing.T, file string) (ids []string, a twitter.Answer, err error) {
	t.Helper()
	text, err := os.ReadFile(file)
	testkit.Must(t, err)
	first, rest, _ := strings.Cut(string(text), "\n")
	provider, list, _ := strings.Cut(first, " ")
	ids = strings.Split(list, ",")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(rest)), nil)
		if err != nil {
			t.Errorf("the file is no answer: %v", err)
			return
		}
		defer res.Body.Close()
		maps.Copy(w.Header(), res.Header)
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	}))
	defer server.Close()
	config := twitter.Config{Key: "k", BaseURL: server.URL}
	switch provider {
	case twitter.XAPIName:
		client, err := twitter.NewXAPI(twitter.XConfig{Config: config})
		testkit.Must(t, err)
		a, err = client.LookupOnce(t.Context(), ids)
		return ids, a, err
	case twitter.SocialDataName:
		client, err := twitter.NewSocialData(config)
		testkit.Must(t, err)
		a, err = client.LookupOnce(t.Context(), ids)
		return ids, a, err
	}
	client, err := twitter.NewTwitterAPI(config)
	testkit.Must(t, err)
	a, err = client.LookupOnce(t.Context(), ids)
	return ids, a, err
}

// outcomes writes what an answer says of each tweet.
func outcomes(ids []string, a twitter.Answer) []string {
	said := make(map[string]string)
	for _, f := range a.Found {
		m := f.Metrics
		said[f.ID] = strings.Join([]string{m.Retweets.String(), m.Replies.String(), m.Likes.String(), m.Quotes.String(), m.Views.String(), m.Bookmarks.String()}, " ")
		for _, c := range f.Unreadable {
			said[f.ID] += " ?" + c.String()
		}
	}
	for _, m := range a.Missing {
		said[m.ID] = strings.TrimSpace("missing " + m.Reason)
	}
	for _, u := range a.Unresolved {
		said[u.ID] = "unresolved"
	}
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = said[id]
	}
	return list
}
