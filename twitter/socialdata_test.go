package twitter_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
)

func socialData(tb testing.TB, config twitter.Config) *twitter.SocialData {
	tb.Helper()
	config.Key = key
	c, err := twitter.NewSocialData(config)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// TestSocialDataAnswer reads an answer as the vendor's pages show it.
func TestSocialDataAnswer(t *testing.T) {
	t.Parallel()
	var asked struct {
		IDs []string `json:"ids"`
	}
	baseURL := handler(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(bufio.NewReader(r.Body))
		if err != nil || json.Unmarshal(body, &asked) != nil || r.Method != http.MethodPost || r.URL.Path != "/twitter/tweets-by-ids" ||
			r.Header.Get("Authorization") != "Bearer "+key || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %s: %v", r.Method, r.URL, body, err)
		}
		_, _ = io.WriteString(w, `{"tweets":[{"tweet_created_at":"2023-11-28T20:00:31.000000Z","id":1729591119699124560,"id_str":"1729591119699124560",
			"text":null,"full_text":"Deliveries start","truncated":false,"user":{"id":44196397,"favorite_count":7},"quoted_status":{"id_str":"21","favorite_count":9},
			"retweeted_status":null,"quote_count":1,"reply_count":2,"retweet_count":3,"favorite_count":4,"views_count":5,"bookmark_count":null}]}`)
	})
	a, err := socialData(t, twitter.Config{BaseURL: baseURL}).Lookup(t.Context(), []string{"1729591119699124560", "21"})
	if err != nil || len(a.Found) != 1 || len(a.Missing) != 1 || a.Billed != 1 || len(a.Reads) != 0 || strings.Join(asked.IDs, " ") != "1729591119699124560 21" {
		t.Fatalf("%+v, asked %v: %v", a, asked.IDs, err)
	}
	f := a.Found[0]
	m := f.Metrics
	if m.Quotes.Value() != 1 || m.Replies.Value() != 2 || m.Retweets.Value() != 3 || m.Likes.Value() != 4 || m.Views.Value() != 5 || m.Bookmarks.Known() ||
		!f.CreatedAt.Equal(time.Date(2023, 11, 28, 20, 0, 31, 0, time.UTC)) {
		t.Errorf("%+v", f)
	}
}

// TestProvidersAgree asks all providers for the same tweets, and makes each fail in each way.
func TestProvidersAgree(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := provider(t, fakeprovider.Config{Now: noon})
	config := twitter.Config{BaseURL: baseURL, Now: noon}
	clients := map[string]interface {
		Lookup(ids []string) (twitter.Answer, error)
	}{}
	for name, lookup := range map[string]lookupFunc{
		twitter.TwitterAPIName: func(ids []string) (twitter.Answer, error) { return twitterAPI(t, config).Lookup(t.Context(), ids) },
		twitter.XAPIName:       func(ids []string) (twitter.Answer, error) { return xAPI(t, config).Lookup(t.Context(), ids) },
		twitter.SocialDataName: func(ids []string) (twitter.Answer, error) { return socialData(t, config).Lookup(t.Context(), ids) },
	} {
		clients[name] = lookup
	}
	if len(clients) != len(twitter.Providers()) {
		t.Fatalf("%d clients of %d providers", len(clients), len(twitter.Providers()))
	}
	asked := append(ids[:40:40], "17")
	want, err := clients[twitter.TwitterAPIName].Lookup(asked)
	if err != nil || len(want.Found) != 40 {
		t.Fatalf("%d found: %v", len(want.Found), err)
	}
	counts := make(map[string]twitter.Found)
	for _, f := range want.Found {
		counts[f.ID] = f
	}
	faults := map[fakeprovider.Fault]string{
		fakeprovider.OutOfCredit: twitter.KindOutOfCredit, fakeprovider.Unauthorized: twitter.KindUnauthorized,
		fakeprovider.RateLimited: twitter.KindRateLimited, fakeprovider.ServerError: twitter.KindFault,
		fakeprovider.BadRequest: twitter.KindBadRequest, fakeprovider.NotFound: twitter.KindBadRequest,
		fakeprovider.Reset: twitter.KindFault, fakeprovider.Truncated: twitter.KindFault, fakeprovider.Challenge: twitter.KindFault,
	}
	for name, client := range clients {
		got, err := client.Lookup(asked)
		if err != nil || len(got.Found) != 40 || len(got.Missing) != 1 || got.Missing[0].ID != "17" {
			t.Errorf("%s: %d found, %v missing: %v", name, len(got.Found), got.Missing, err)
		}
		for _, f := range got.Found {
			if f.Metrics != counts[f.ID].Metrics || !f.CreatedAt.Truncate(time.Second).Equal(counts[f.ID].CreatedAt) {
				t.Errorf("%s: %+v, want %+v", name, f, counts[f.ID])
			}
		}
		for fault, kind := range faults {
			if err := server.Inject(fakeprovider.Injection{Clear: true, Calls: []fakeprovider.CallInjection{{Fault: fault, Next: 1}}}); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Lookup(asked[:2]); twitter.Kind(err) != kind {
				t.Errorf("%s, %s: of the kind %s, want %s: %v", name, fault, twitter.Kind(err), kind, err)
			}
		}
	}
}

type lookupFunc func(ids []string) (twitter.Answer, error)

func (f lookupFunc) Lookup(ids []string) (twitter.Answer, error) { return f(ids) }

func TestSocialDataLimitAndBalance(t *testing.T) {
	t.Parallel()
	_, baseURL, _ := provider(t, fakeprovider.Config{Credits: 15 * 50 * 123})
	c := socialData(t, twitter.Config{BaseURL: baseURL})
	if b, err := c.Balance(t.Context()); err != nil || b.Left != 123 || b.Unit != twitter.UnitCents || !b.Pays() {
		t.Errorf("%+v: %v", b, err)
	}
	small := handler(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || strings.Count(string(body), ",") >= 30 {
			http.Error(w, `{"message":"The ids field must not have more than 30 items.","errors":{}}`, http.StatusUnprocessableEntity)
			return
		}
		_, _ = io.WriteString(w, `{"tweets":[]}`)
	})
	c = socialData(t, twitter.Config{BaseURL: small})
	var ids []string
	for i := range 60 {
		ids = append(ids, "10"+string(rune('0'+i/10))+string(rune('0'+i%10)))
	}
	if a, err := c.Lookup(t.Context(), ids); err != nil || c.MaxIDs() != 30 || a.Calls != 3 || a.Billed != 0 || len(a.Missing) != 60 {
		t.Errorf("%d missing in %d calls of %d, billed %d: %v", len(a.Missing), a.Calls, c.MaxIDs(), a.Billed, err)
	}
}
