package fakeprovider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sourcegraph/conc"
)

// Config sets up a [Server]. Only Population is required.
type Config struct {
	Population *Population
	// Now tells the time at which counters are read. Defaults to time.Now.
	Now func() time.Time
	// Key is the API key that callers must send. Empty accepts any key, or none.
	Key string
	// MaxIDs is how many ids a call to twitterapi.io's route may hold. Defaults to 50.
	// X's route takes 100.
	MaxIDs int

	// Rate is the number of calls allowed in any second, or one call in 1/Rate
	// seconds when it is below 1. Zero is unlimited. Calls beyond it get 429.
	Rate float64
	// Burst is the number of calls allowed on top, for callers whose rate is even but
	// whose network is not.
	Burst int
	// RetryAfter sets that header on a 429 of twitterapi.io's route, which the real
	// provider does only sometimes.
	RetryAfter bool

	// An answer takes Latency, and up to Jitter more, in real time.
	Latency, Jitter time.Duration

	// Credits of the account: a tweet costs 15. twitterapi.io's route charges for each tweet
	// returned, and for one where none is; X's for a tweet once a UTC day and key; SocialData's
	// for each tweet returned. Below 15 a call gets 402. Zero is unlimited.
	Credits int64
	// NewNames makes X's route use the words post and repost.
	NewNames bool

	// Seed of the random faults and the jitter.
	Seed uint64
	// LogSize is the number of calls that the log keeps. Defaults to 2,000.
	LogSize int
	// Log, if set, gets every [Record] as a line of JSON.
	Log io.Writer
}

// Server is a fake provider. It is an [http.Handler], which [Server.Listen]
// serves. Make one with [NewServer].
type Server struct {
	config       Config
	templates    templates
	texts        [][]byte // as they stand inside a JSON string
	control      http.Handler
	faults       *faults
	limit        limiter
	log          *callLog
	credits      atomic.Int64 // negative: unlimited
	refuseKey    atomic.Bool
	balanceFault atomic.Value // of BalanceFault
	way          atomic.Pointer[Way]
	down         atomic.Bool
	perDay       perDay
	buffers      sync.Pool // of *[]byte

	closed  chan struct{}
	close   sync.Once
	servers []*http.Server
	wait    conc.WaitGroup
	mu      sync.Mutex // guards servers
}

// NewServer returns a server with the given settings. Its error lists everything that
// is wrong with them.
func NewServer(config Config) (*Server, error) {
	var wrong []error
	if config.Population == nil {
		wrong = append(wrong, errors.New("no population"))
	}
	if config.MaxIDs < 0 || config.LogSize < 0 || config.Burst < 0 || config.Latency < 0 || config.Jitter < 0 || config.Credits < 0 {
		wrong = append(wrong, errors.New("no setting may be negative"))
	}
	if !(config.Rate >= 0 && config.Rate <= maxRate) {
		wrong = append(wrong, fmt.Errorf("rate %g: must be 0 to %d", config.Rate, maxRate))
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("configure the fake provider: %w", err)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	config.MaxIDs = cmp.Or(config.MaxIDs, 50)
	config.LogSize = cmp.Or(config.LogSize, 2000)

	templates, err := loadTemplates()
	if err != nil {
		return nil, err
	}
	texts, err := quotedTexts()
	if err != nil {
		return nil, err
	}
	s := &Server{
		config:    config,
		templates: templates,
		texts:     texts,
		faults:    newFaults(config.Seed),
		log:       newCallLog(config.LogSize, config.Log),
		perDay:    perDay{read: make(map[time.Time]map[string]bool)},
		buffers:   sync.Pool{New: func() any { return new([]byte) }},
		closed:    make(chan struct{}),
	}
	s.control = s.controlRoutes()
	s.limit.set(config.Rate, config.Burst)
	s.credits.Store(cmp.Or(config.Credits, -1))
	return s, nil
}

// Inject changes how the server behaves from the next call on.
func (s *Server) Inject(injection Injection) error {
	if err := injection.validate(); err != nil {
		return fmt.Errorf("inject faults into the fake provider: %w", err)
	}
	s.faults.inject(injection)
	if injection.Credits != nil {
		s.credits.Store(*injection.Credits)
	}
	if injection.RefuseKey != nil {
		s.refuseKey.Store(*injection.RefuseKey)
	}
	if injection.Down != nil {
		s.down.Store(*injection.Down)
	}
	if injection.Balance != nil {
		s.balanceFault.Store(*injection.Balance)
	}
	if injection.Way != nil || injection.Clear {
		s.way.Store(injection.Way)
	}
	if injection.Rate != nil {
		s.limit.set(*injection.Rate, s.config.Burst)
	}
	return nil
}

// Population returns the tweets that the server knows.
func (s *Server) Population() *Population { return s.config.Population }

// Calls returns the last calls, up to LogSize of them, in the order in which they
// were answered. A call is in it before its answer is sent.
func (s *Server) Calls() []Record { return s.log.all() }

// Stats returns the counts of all calls.
func (s *Server) Stats() Stats {
	stats := s.log.snapshot()
	stats.Credits = s.credits.Load()
	return stats
}

// Listen serves at an address, "" being any free port of the loopback interface,
// until [Server.Close]. It returns the base URL once connections are accepted.
func (s *Server) Listen(ctx context.Context, addr string) (baseURL string, err error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", cmp.Or(addr, "127.0.0.1:0"))
	if err != nil {
		return "", fmt.Errorf("listen for the fake provider: %w", err)
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servers = append(s.servers, server)
	s.wait.Go(func() {
		// It ends by Close, and a listener that fails shows in every call.
		_ = server.Serve(listener)
	})
	return "http://" + listener.Addr().String(), nil
}

// Close ends all connections, hanging ones too, and waits for what Listen started.
func (s *Server) Close() {
	s.close.Do(func() { close(s.closed) })
	s.mu.Lock()
	servers := s.servers
	s.mu.Unlock()
	for _, server := range servers {
		_ = server.Close() // only of what is being thrown away
	}
	s.wait.Wait()
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/twitter/tweets":
		s.lookup(w, r, twitterAPI{s})
	case r.URL.Path == "/2/tweets":
		s.lookup(w, r, xAPI{s})
	case r.URL.Path == "/twitter/tweets-by-ids":
		s.lookup(w, r, socialData{s})
	case r.URL.Path == "/user":
		s.balance(w, r, socialData{s})
	case r.URL.Path == "/oapi/my/info":
		s.balance(w, r, twitterAPI{s})
	case r.URL.Path == "/2/usage/tweets":
		s.balance(w, r, xAPI{s})
	case strings.HasPrefix(r.URL.Path, controlPath):
		s.control.ServeHTTP(w, r)
	default:
		http.Error(w, `{"detail":"Not Found"}`, http.StatusNotFound)
	}
}
