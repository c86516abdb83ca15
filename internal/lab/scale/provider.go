package scale

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/engagement"
)

// provider answers look-ups of the population as twitterapi.io does. It holds no tweets,
// however many there are: it makes each up from its id.
type provider struct {
	url    string
	server *http.Server
	wait   conc.WaitGroup
	err    error
}

func startProvider(ctx context.Context, people population) (*provider, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the provider: %w", err)
	}
	p := &provider{url: "http://" + l.Addr().String(), server: &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { people.answer(w, r) }),
	}}
	p.wait.Go(func() {
		if err := p.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.err = err
		}
	})
	return p, nil
}

func (p *provider) close() error {
	err := p.server.Close()
	p.wait.Wait()
	return errors.Join(err, p.err)
}

func (p population) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if !r.URL.Query().Has("tweet_ids") {
		_, _ = fmt.Fprint(w, `{"recharge_credits":1000000000,"total_bonus_credits":0}`)
		return
	}
	var list []string
	for id := range strings.SplitSeq(r.URL.Query().Get("tweet_ids"), ",") {
		t, ok := p.of(id)
		if !ok {
			continue
		}
		m := t.now(p.now)
		list = append(list, fmt.Sprintf(`{"type":"tweet","id":%q,"text":"text","createdAt":%q,"retweetCount":%d,"replyCount":%d,"likeCount":%d,"quoteCount":%d,"viewCount":%d,"bookmarkCount":%d}`,
			id, t.posted.Format(time.RubyDate), valueOf(m.Retweets), valueOf(m.Replies), valueOf(m.Likes), valueOf(m.Quotes), valueOf(m.Views), valueOf(m.Bookmarks)))
	}
	_, _ = fmt.Fprintf(w, `{"tweets":[%s],"status":"success","msg":"success","code":0}`, strings.Join(list, ","))
}

func valueOf(c engagement.Count) int64 { return c.Value() }
