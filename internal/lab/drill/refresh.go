package drill

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/internal/lab/proc"
	"gorgone/web/auth"
)

// refresh is one refresh as its caller saw it.
type refresh struct {
	row   uuid.UUID
	tweet string
	asked time.Time

	answered time.Time
	status   int    // of the final answer; 0: there was none
	location string // where it was waited for; empty: the first answer was final
	again    int    // status when the same was asked again at the end; 0: it was not
	err      error  // of the connection
	body     refreshAnswer
}

// refreshAnswer is what an answer holds that the checks read.
type refreshAnswer struct {
	Cached bool         `json:"cached"`
	Code   string       `json:"code"`
	Error  string       `json:"error"`
	Data   *refreshData `json:"data"`
}

type refreshData struct {
	LastUpdated time.Time      `json:"last_updated"`
	Metrics     refreshMetrics `json:"metrics"`
}

// refreshMetrics are those counters in an answer that never fall or rise by a fault
// that is let through.
type refreshMetrics struct {
	Likes    *int64 `json:"like_count"`
	Retweets *int64 `json:"retweet_count"`
}

// refresher asks the web server for refreshes.
type refresher struct {
	*world
	url, token, entry string
	client            *http.Client

	asking  conc.WaitGroup
	calling sync.RWMutex // held for reading in calls, for writing while there is no server
	mu      sync.Mutex
	list    []*refresh
	open    int
}

// finalAnswer is how long a refresh may take to be answered for good: a request
// lives for a minute.
const finalAnswer = 75 * time.Second

// lastPoll is how long the server may take to tell how a refresh stands whose time is over.
const lastPoll = 5 * time.Second

func newRefresher(w *world, url string) (*refresher, error) {
	token, err := auth.NewToken(rand.Reader)
	if err != nil {
		return nil, err
	}
	entry, err := auth.TokenEntry("drill", auth.Scopes(), token)
	if err != nil {
		return nil, err
	}
	return &refresher{world: w, url: url, token: token, entry: entry, client: &http.Client{Timeout: 40 * time.Second}}, nil
}

// ready waits until the web server can answer.
func (r *refresher) ready(ctx context.Context) error {
	for {
		status, _, _, err := r.call(ctx, http.MethodGet, r.url+"/readyz")
		if err == nil && status == http.StatusOK {
			return nil
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("wait for the web server: %w (last: %d %s)", context.Cause(ctx), status, fmt.Sprint(err))
		}
	}
}

// hold lets no calls be made until the server, which is started meanwhile, can be asked again.
func (r *refresher) hold(ctx context.Context) (goOn func()) {
	r.calling.Lock()
	return func() {
		defer r.calling.Unlock()
		r.client.CloseIdleConnections() // to the server before
		for ctx.Err() == nil {
			if _, err := proc.Fetch(ctx, fetchWithin, r.url+"/healthz"); err == nil {
				return
			}
			sleep(ctx, 50*time.Millisecond)
		}
	}
}

// begin asks for refreshes of random tweets until ctx ends.
func (r *refresher) begin(ctx context.Context) {
	random := mathrand.New(mathrand.NewPCG(r.Seed, 0x72656672))
	rows := r.rowList
	r.asking.Go(func() {
		for sleep(ctx, r.Refreshes) {
			row := rows[random.IntN(len(rows))]
			r.asking.Go(func() { r.ask(context.WithoutCancel(ctx), row) })
		}
	})
}

// ask asks for one refresh and waits for its final answer.
func (r *refresher) ask(ctx context.Context, row uuid.UUID) *refresh {
	r.calling.RLock() // so that it is asked for when it can be
	f := &refresh{row: row, tweet: r.rows[row], asked: time.Now()}
	r.calling.RUnlock()
	r.mu.Lock()
	r.list = append(r.list, f)
	r.open++
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.open--
	}()
	ctx, cancel := context.WithTimeout(ctx, finalAnswer)
	defer cancel()
	var header http.Header
	f.status, header, f.body, f.err = r.call(ctx, http.MethodPost, r.url+"/api/twitter/tweets/"+row.String()+"/refresh?force=true&wait=3s")
	if f.status == http.StatusAccepted {
		f.location = r.url + header.Get("Location")
	}
	for over := false; !over && (f.status == http.StatusAccepted || f.location != "" && f.undecided()); {
		polling := ctx
		if over = !sleep(ctx, 250*time.Millisecond); over {
			// Once more: for a while there may have been no server to ask.
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPoll)
			defer cancel()
			polling = last
		}
		status, _, body, err := r.call(polling, http.MethodGet, f.location)
		if err != nil && over && f.status != http.StatusAccepted {
			break // the last answer stands
		}
		f.status, f.body, f.err = status, body, err
	}
	f.answered = time.Now()
	return f
}

// codeMissing is the code of the answer that the provider lacks a tweet, which may be there.
const codeMissing = "missing"

// undecided reports whether the answer says nothing about the refresh itself: the
// server could not look-up.
func (f *refresh) undecided() bool {
	return f.err != nil || f.status == http.StatusServiceUnavailable && f.body.Code != codeMissing || f.status == http.StatusInternalServerError
}

// finish waits for the answers that are not there yet, and asks again for those
// that can be asked for again.
func (r *refresher) finish(ctx context.Context) {
	r.asking.Wait()
	for _, f := range r.all() {
		if f.location == "" || f.undecided() {
			continue
		}
		f.again, _, _, _ = r.call(ctx, http.MethodGet, f.location)
	}
}

func (r *refresher) all() []*refresh {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*refresh(nil), r.list...)
}

func (r *refresher) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

func (r *refresher) call(ctx context.Context, method, url string) (status int, header http.Header, body refreshAnswer, err error) {
	r.calling.RLock()
	defer r.calling.RUnlock()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return 0, nil, body, fmt.Errorf("ask the web server: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	resp, err := r.client.Do(req)
	if err != nil {
		return 0, nil, body, fmt.Errorf("ask the web server: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, nil, body, fmt.Errorf("read the web server's answer: %w", err)
	}
	_ = json.Unmarshal(text, &body) // an answer of another form has none of it
	return resp.StatusCode, resp.Header, body, nil
}
