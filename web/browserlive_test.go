//go:build browser

package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/rs/zerolog"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/browsertest"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/pause"
	"gorgone/web"
)

// unobserved is told what a sender of alerts does, and does not mind.
type unobserved struct{}

func (unobserved) Alerted(engagement.AlertKind) {}
func (unobserved) AlertDelivered(string)        {}

// TestPageOfAlerts: an alert that is raised while the page is open comes by live
// events alone; the page's own looking again every few seconds is switched off.
func TestPageOfAlerts(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	_, err := e.alerts.AddRule(t.Context(), alert.Rule{AlertRule: engagement.AlertRule{Kind: engagement.AlertCount, Metric: "likes", Threshold: 10}})
	testkit.Must(t, err)
	sender := alert.NewSender(alert.Parts{
		Outbox: e.alerts, Poster: alert.NewPoster(time.Second, false, time.Now, "test"), Timeout: time.Second,
		Announcer: e.queue, Observer: unobserved{}, Random: func() float64 { return 0.5 }, Log: zerolog.Nop(),
	})
	testkit.Background(t, sender.Run)
	b := browsertest.New(t, 1280, 900)
	e.signIn(b, e.service)
	b.Until(`document.querySelector(".live").dataset.status === "live"`)
	browsertest.Get[bool](b, `(window.setInterval = () => 0) !== null`)
	b.Click(`nav a[href="#/alerts"]`)
	b.Until(`document.querySelector(".empty-title")?.textContent === "No alerts yet"`)

	_, id := e.row(0)
	at := e.clock.Now()
	_, err = e.store.ApplyRefresh(t.Context(), []store.RefreshResult{{
		TweetID: id, RequestedAt: at, Kind: store.Found,
		Observation: engagement.Observation{At: at, Metrics: engagement.Metrics{Likes: engagement.Known(20)}},
	}})
	testkit.Must(t, err)
	b.Until(`document.querySelectorAll("tr[data-alert]").length === 1`)
	if row := browsertest.Get[string](b, `document.querySelector("tr[data-alert] td").textContent`); row != "▲ Active" {
		t.Errorf("the alert is shown as %q", row)
	}
}

// TestPageOfABreaker: why nothing is looked up stands beside what people have paused.
func TestPageOfABreaker(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	b := browsertest.New(t, 1280, 900)
	e.signIn(b, e.service)
	b.Until(`document.querySelector(".banner[role=alert]")?.hidden === true`)
	e.source.Breaker.Open(t.Context(), e.clock.Database(), engagement.CauseOutOfCredit, "no credit is left")
	testkit.Must(t, pause.New(e.db, e.clock).Set(t.Context(), pause.Pause{Lane: pause.Batches, By: "ada", Reason: "the bill"}))
	b.Until(`document.querySelector('[data-breaker="open"]') !== null && document.querySelectorAll(".banner[role=alert] > p").length === 2`)
	want := "The circuit breaker of twitterapi.io is open: no credit is left. Next check in "
	if text := browsertest.Get[string](b, `document.querySelector("[data-breaker]").textContent`); len(text) < len(want) || text[:len(want)] != want {
		t.Errorf("the breaker: %q", text)
	}
}

// TestPageOfSupabaseLogin signs in by e-mail at a double of Supabase's
// authentication, whose session is about to end and is renewed.
func TestPageOfSupabaseLogin(t *testing.T) {
	t.Parallel()
	project := &supabase{}
	at := httptest.NewServer(project)
	t.Cleanup(at.Close)
	e := newEngine(t, options{tweets: 1, config: func(c *web.Config) { c.SupabaseURL, c.SupabaseKey = at.URL, supabaseKey }})
	project.session(e.userOf("manager", e.client))
	b := browsertest.New(t, 1280, 900)
	b.Open(e.url)
	b.Type(`input[name="email"]`, "ada@example.com")
	b.Type(`input[name="password"]`, "wrong"+kb.Enter)
	b.Until(`document.querySelector(".fault").textContent.includes("Invalid login credentials")`)
	b.Forgive("400")
	browsertest.Get[string](b, `document.querySelector('input[name="password"]').value = ""`)
	b.Type(`input[name="password"]`, supabasePassword+kb.Enter)
	b.Until(`document.querySelector(".live")?.dataset.status === "live"`)
	if got, want := project.asked(), []string{"password", "password", "refresh_token"}; !slices.Equal(got, want) {
		t.Errorf("grants %v, want %v", got, want)
	}
}

const (
	supabaseKey      = "sb_publishable_test"
	supabasePassword = "correct horse battery staple"
)

// supabase is a double of the token endpoint of Supabase's authentication: fields,
// status codes and headers are those of its documentation.
type supabase struct {
	mu     sync.Mutex
	token  string
	grants []string
}

func (s *supabase) session(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

func (s *supabase) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.grants)
}

func (s *supabase) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", "apikey, content-type")
	if r.Method == http.MethodOptions {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	s.mu.Lock()
	defer s.mu.Unlock()
	grant := r.URL.Query().Get("grant_type")
	s.grants = append(s.grants, grant)
	var body struct {
		Email, Password string
		RefreshToken    string `json:"refresh_token"`
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	answer := map[string]any{"access_token": s.token, "token_type": "bearer", "expires_in": 30, "refresh_token": "first", "user": map[string]any{}}
	switch {
	case err != nil || r.Method != http.MethodPost || r.URL.Path != "/auth/v1/token" || r.Header.Get("apikey") != supabaseKey:
		w.WriteHeader(http.StatusUnauthorized)
		answer = map[string]any{"message": "Invalid API key"}
	case grant == "password" && body.Email == "ada@example.com" && body.Password == supabasePassword:
	case grant == "refresh_token" && body.RefreshToken == "first":
		answer["expires_in"], answer["refresh_token"] = 3600, "second"
	default:
		w.WriteHeader(http.StatusBadRequest)
		answer = map[string]any{"code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials"}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// TestPageOfATrial: the overview compares the halves.
func TestPageOfATrial(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	beginTrial(t, e)
	b := browsertest.New(t, 1280, 900)
	e.signIn(b, e.service)
	b.Until(`document.querySelector("[data-trial] [data-figure=delay_minutes_48h]") !== null`)
	if text := browsertest.Get[string](b, `document.querySelector("[data-trial] [data-figure=delay_minutes_48h] td:last-child").textContent`); text != "0.10.08 to 0.13" {
		t.Errorf("the delay over the tiers' is shown as %q", text)
	}
}
