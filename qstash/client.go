// Package qstash manages the schedule at Upstash QStash that triggers the engine where no
// dispatcher runs.
//
// The schedule has an id of our choice, so creating it again updates it instead of adding
// another.
package qstash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gorgone/internal/address"
)

// DefaultURL is the API of the European region; each region has its own schedules.
const DefaultURL = "https://qstash.upstash.io"

const (
	callTimeout = 15 * time.Second
	maxAnswer   = 1 << 20 // bytes
	maxReason   = 200     // bytes of QStash's error message
)

// ErrNotFound is returned for a schedule that does not exist.
var ErrNotFound = errors.New("there is no such schedule")

// Error is a refusal by QStash.
type Error struct {
	Status int
	Reason string // QStash's message
}

func (e *Error) Error() string {
	hint := ""
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		hint = " (check QSTASH_TOKEN, and that QSTASH_URL is of the same region)"
	case http.StatusPreconditionFailed:
		hint = " (too many schedules for the plan?)"
	}
	return fmt.Sprintf("qstash answered %d: %s%s", e.Status, e.Reason, hint)
}

// Schedule says what QStash calls, and when.
type Schedule struct {
	ID          string        // letters, digits, dots, dashes and underscores
	Cron        string        // in UTC unless prefixed with CRON_TZ=; minute resolution
	Destination string        // URL to call
	Body        string        // JSON; may be empty
	Retries     int           // of a failed delivery, 0 to 5
	Timeout     time.Duration // of a delivery, in whole seconds
	Paused      bool          // as QStash reports it; not sent
}

// Client calls QStash's API. It is safe for concurrent use.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// New returns a client of the API at base ("" for [DefaultURL]): https, or http to this
// machine, since every call carries the token.
func New(base, token string) (*Client, error) {
	if base == "" {
		base = DefaultURL
	}
	u, err := url.Parse(base)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, errors.New("the address of qstash is not of the form https://host (http only to this machine)")
	case token == "":
		return nil, errors.New("no token for qstash: set QSTASH_TOKEN")
	case strings.ContainsAny(token, "\r\n"):
		return nil, errors.New("the token for qstash has a line break in it")
	}
	return &Client{base: strings.TrimRight(base, "/"), token: token, http: &http.Client{
		Timeout: callTimeout,
		// The token is for QStash alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// isLoopback reports whether a host is this machine, where QStash's development server runs.
func isLoopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

var idPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

func (s Schedule) validate() error {
	u, err := url.Parse(s.Destination)
	switch {
	case !idPattern.MatchString(s.ID):
		return fmt.Errorf("schedule id %.40q: want letters, digits, dots, dashes and underscores", s.ID)
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return fmt.Errorf("the destination is not of the form https://host/path")
	case s.Cron == "" || strings.ContainsAny(s.Cron, "\r\n"):
		return errors.New("the schedule has no cron expression")
	case s.Retries < 0 || s.Retries > 5:
		return fmt.Errorf("retries %d: want 0 to 5", s.Retries)
	case s.Timeout < time.Second:
		return fmt.Errorf("timeout %s: want at least 1s", s.Timeout)
	case s.Body != "" && !json.Valid([]byte(s.Body)):
		return errors.New("the body is not JSON")
	}
	return nil
}

// Put creates the schedule, or updates the one with its id.
func (c *Client) Put(ctx context.Context, s Schedule) error {
	if err := s.validate(); err != nil {
		return err
	}
	var made struct {
		ScheduleID string `json:"scheduleId"`
	}
	err := c.call(ctx, http.MethodPost, "/v2/schedules/"+s.Destination, s.Body, http.Header{
		"Upstash-Schedule-Id": {s.ID},
		"Upstash-Cron":        {s.Cron},
		"Upstash-Method":      {http.MethodPost},
		"Upstash-Retries":     {strconv.Itoa(s.Retries)},
		"Upstash-Timeout":     {strconv.Itoa(int(s.Timeout.Seconds())) + "s"},
		"Content-Type":        {"application/json"},
	}, &made)
	if err != nil {
		return fmt.Errorf("create schedule %s: %w", s.ID, err)
	}
	if made.ScheduleID != s.ID {
		return fmt.Errorf("create schedule %s: qstash created %.80q instead", s.ID, made.ScheduleID)
	}
	return nil
}

// List returns all schedules of the account, ours or not.
func (c *Client) List(ctx context.Context) ([]Schedule, error) {
	var list []struct {
		ScheduleID  string `json:"scheduleId"`
		Cron        string `json:"cron"`
		Destination string `json:"destination"`
		Body        string `json:"body"`
		Retries     int    `json:"retries"`
		IsPaused    bool   `json:"isPaused"`
	}
	if err := c.call(ctx, http.MethodGet, "/v2/schedules", "", nil, &list); err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	schedules := make([]Schedule, len(list))
	for i, s := range list {
		schedules[i] = Schedule{ID: s.ScheduleID, Cron: s.Cron, Destination: s.Destination, Body: s.Body, Retries: s.Retries, Paused: s.IsPaused}
	}
	return schedules, nil
}

// Pause stops a schedule until [Client.Resume].
func (c *Client) Pause(ctx context.Context, id string) error { return c.switchTo(ctx, id, "pause") }

// Resume restarts a paused schedule.
func (c *Client) Resume(ctx context.Context, id string) error { return c.switchTo(ctx, id, "resume") }

func (c *Client) switchTo(ctx context.Context, id, action string) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("schedule id %.40q: want letters, digits, dots, dashes and underscores", id)
	}
	err := c.call(ctx, http.MethodPatch, "/v2/schedules/"+id+"/"+action, "", nil, nil)
	var refused *Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("%s schedule %s: %w", action, id, err)
	}
	return nil
}

// call makes one call and decodes its response into v, if that is not nil.
func (c *Client) call(ctx context.Context, method, path, body string, header http.Header, v any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return address.Without(err)
	}
	if header != nil {
		r.Header = header
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	res, err := c.http.Do(r)
	if err != nil {
		return address.Without(err) // which names the destination too
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the response: %w", err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return &Error{Status: res.StatusCode, Reason: c.reasonOf(answer)}
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(answer, v); err != nil {
		return fmt.Errorf("the response is not the expected JSON: %w", err)
	}
	return nil
}

// reasonOf extracts the message of an error response, and makes it safe for a terminal.
func (c *Client) reasonOf(body []byte) string {
	var e struct {
		Error string `json:"error"`
	}
	text := string(bytes.TrimSpace(body))
	if json.Unmarshal(body, &e) == nil && e.Error != "" {
		text = e.Error
	}
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), c.token, "(token)")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "..."
	}
	if text == "" {
		return "no reason given"
	}
	return text
}
