// Package qstashtest is a double of the part of QStash's API that deals with
// schedules, written from its OpenAPI description.
package qstashtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Schedule is what the double keeps of a schedule.
type Schedule struct {
	ScheduleID  string `json:"scheduleId"`
	Cron        string `json:"cron"`
	Destination string `json:"destination"`
	Method      string `json:"method"`
	Body        string `json:"body,omitempty"`
	Retries     int    `json:"retries"`
	IsPaused    bool   `json:"isPaused"`

	Timeout string `json:"-"`
}

// Server is the double.
type Server struct {
	URL string

	token string
	most  int // schedules that the plan allows

	mu        sync.Mutex
	schedules []Schedule
}

// Start starts a double that knows one token and ends with the test.
func Start(tb testing.TB, token string) *Server {
	tb.Helper()
	s := &Server{token: token, most: 10}
	// Not a ServeMux, which would clean the destination out of the path.
	h := httptest.NewServer(http.HandlerFunc(s.serve))
	tb.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// Schedules returns what there is.
func (s *Server) Schedules() []Schedule {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Schedule(nil), s.schedules...)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+s.token {
		refuse(w, http.StatusUnauthorized, "unauthorized: invalid token "+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		return
	}
	rest, found := strings.CutPrefix(r.URL.Path, "/v2/schedules")
	rest = strings.TrimPrefix(rest, "/")
	switch {
	case !found:
		refuse(w, http.StatusNotFound, "not found")
	case r.Method == http.MethodGet && rest == "":
		answer(w, append([]Schedule{}, s.schedules...))
	case r.Method == http.MethodPost && rest != "":
		s.put(w, r, rest)
	case r.Method == http.MethodPatch:
		id, action, _ := strings.Cut(rest, "/")
		s.pause(w, id, action)
	default:
		refuse(w, http.StatusMethodNotAllowed, "method not allowed")
	}
}

func (s *Server) put(w http.ResponseWriter, r *http.Request, destination string) {
	body, err := io.ReadAll(r.Body)
	fields := strings.Fields(strings.TrimPrefix(r.Header.Get("Upstash-Cron"), "CRON_TZ="))
	if err != nil || len(fields) < 5 {
		refuse(w, http.StatusBadRequest, "invalid cron expression")
		return
	}
	if !strings.HasPrefix(destination, "http://") && !strings.HasPrefix(destination, "https://") {
		refuse(w, http.StatusBadRequest, "invalid destination url: endpoint has invalid scheme")
		return
	}
	retries, err := strconv.Atoi(r.Header.Get("Upstash-Retries"))
	if err != nil {
		retries = 3
	}
	made := Schedule{
		ScheduleID: r.Header.Get("Upstash-Schedule-Id"), Cron: r.Header.Get("Upstash-Cron"), Destination: destination,
		Method: r.Header.Get("Upstash-Method"), Body: string(body), Retries: retries, Timeout: r.Header.Get("Upstash-Timeout"),
	}
	if made.ScheduleID == "" {
		made.ScheduleID = "scd_" + strconv.Itoa(len(s.schedules)+1)
	}
	for i := range s.schedules {
		if s.schedules[i].ScheduleID == made.ScheduleID {
			s.schedules[i] = made
			answer(w, map[string]string{"scheduleId": made.ScheduleID})
			return
		}
	}
	if len(s.schedules) == s.most {
		refuse(w, http.StatusPreconditionFailed, "maximum number of schedules exceeded")
		return
	}
	s.schedules = append(s.schedules, made)
	answer(w, map[string]string{"scheduleId": made.ScheduleID})
}

func (s *Server) pause(w http.ResponseWriter, id, action string) {
	for i := range s.schedules {
		if s.schedules[i].ScheduleID == id && (action == "pause" || action == "resume") {
			s.schedules[i].IsPaused = action == "pause"
			w.WriteHeader(http.StatusOK)
			return
		}
	}
	refuse(w, http.StatusNotFound, "schedule not found")
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": why})
}
