package fakeprovider

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"gorgone/engagement"
)

// controlPath is the path below which faults are injected and the server is read.
const controlPath = "/_double/"

// maxInjection is the largest injection accepted over HTTP, in bytes. A million ids fit.
const maxInjection = 32 << 20

// controlRoutes returns the routes by which another process injects faults and reads
// the server. They answer callers on the same machine only.
//
//	GET  /_double/stats             Stats
//	GET  /_double/calls?after=SEQ   lines of Record, those kept with a higher seq
//	GET  /_double/tweets            lines of {id, author_id, created_at}
//	GET  /_double/tweets/ID?at=TIME the truth about a tweet, at an engine time (RFC 3339) or now
//	POST /_double/steer             takes an Injection
func (s *Server) controlRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+controlPath+"stats", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, s.Stats())
	})
	mux.HandleFunc("GET "+controlPath+"calls", s.controlCalls)
	mux.HandleFunc("GET "+controlPath+"tweets", s.controlTweets)
	mux.HandleFunc("GET "+controlPath+"tweets/{id}", s.controlTruth)
	mux.HandleFunc("POST "+controlPath+"steer", s.controlInject)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			http.Error(w, "the fake provider is controlled from its own machine only", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the caller went away
}

func (s *Server) controlCalls(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil && r.URL.Query().Has("after") {
		http.Error(w, fmt.Sprintf("after: %v", err), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines := json.NewEncoder(w)
	for _, call := range s.Calls() {
		if call.Seq > after && lines.Encode(call) != nil {
			return
		}
	}
}

func (s *Server) controlTweets(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines := json.NewEncoder(w)
	for t := range s.config.Population.All() {
		if lines.Encode(controlTweet{ID: t.ID, AuthorID: t.AuthorID, CreatedAt: t.CreatedAt}) != nil {
			return
		}
	}
}

type controlTweet struct {
	ID        string    `json:"id"`
	AuthorID  string    `json:"author_id"`
	CreatedAt time.Time `json:"created_at"`
}

func (s *Server) controlTruth(w http.ResponseWriter, r *http.Request) {
	at := s.config.Now()
	if text := r.URL.Query().Get("at"); text != "" {
		var err error
		if at, err = time.Parse(time.RFC3339Nano, text); err != nil {
			http.Error(w, fmt.Sprintf("at: %v", err), http.StatusBadRequest)
			return
		}
	}
	id := r.PathValue("id")
	tweet, known := s.config.Population.Tweet(id)
	metrics, posted := s.config.Population.MetricsAt(id, at)
	if !known || !posted {
		http.Error(w, "no such tweet at that time", http.StatusNotFound)
		return
	}
	writeJSON(w, struct {
		controlTweet

		At      time.Time          `json:"at"`
		Metrics engagement.Metrics `json:"metrics"`
	}{controlTweet{tweet.ID, tweet.AuthorID, tweet.CreatedAt}, at, metrics})
}

func (s *Server) controlInject(w http.ResponseWriter, r *http.Request) {
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxInjection))
	body.DisallowUnknownFields()
	var injection Injection
	err := body.Decode(&injection)
	if err == nil && body.More() {
		err = errors.New("more than one injection")
	}
	if err == nil {
		err = s.Inject(injection)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
