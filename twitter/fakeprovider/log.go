package fakeprovider

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// Record is one call to the server.
type Record struct {
	Seq      int64     `json:"seq"`      // 1 is the first call
	Started  time.Time `json:"started"`  // real time when it arrived
	Answered time.Time `json:"answered"` // real time when its answer was sent off, or held back
	At       time.Time `json:"at"`       // engine time of the counters in the answer
	Remote   string    `json:"remote"`
	Key      string    `json:"key"` // the first 8 digits of the API key's SHA-256; "" without a key
	Path     string    `json:"path"`
	IDs      []string  `json:"ids"`
	Absent   []string  `json:"absent,omitempty"` // those of them that are not in an answer of 200
	Status   int       `json:"status"`           // 0: no answer was sent
	Returned int       `json:"returned"`         // tweets in the answer
	Billed   int       `json:"billed"`           // credits, 15 for a tweet that is charged for
	Fault    Fault     `json:"fault,omitempty"`
}

// Stats are the counts of all calls so far.
type Stats struct {
	Calls        int64           `json:"calls"`          // all that arrived
	Asked        int64           `json:"asked"`          // ids in all calls
	Returned     int64           `json:"returned"`       // tweets in all answers
	Billed       int64           `json:"billed"`         // credits
	RateLimited  int64           `json:"rate_limited"`   // calls answered with 429
	MaxPerSecond int             `json:"max_per_second"` // most calls, refused ones too, that arrived within any one second
	ByStatus     map[int]int64   `json:"by_status"`
	ByFault      map[Fault]int64 `json:"by_fault"`
	Credits      int64           `json:"credits"`    // left; negative is unlimited
	LogErrors    int64           `json:"log_errors"` // records that could not be written to the log
}

// callLog keeps the last calls and counts all of them.
type callLog struct {
	mu      sync.Mutex
	size    int
	records []Record // a ring once it is full
	oldest  int
	stats   Stats
	out     *json.Encoder // nil: none
	recent  []time.Time   // starts within a second of the last
}

func newCallLog(size int, out io.Writer) *callLog {
	l := &callLog{size: size, stats: Stats{ByStatus: make(map[int]int64), ByFault: make(map[Fault]int64)}}
	if out != nil {
		l.out = json.NewEncoder(out)
	}
	return l
}

// begin counts a call that arrives now, and numbers its record r.
func (l *callLog) begin(r *Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	gone, _ := slices.BinarySearchFunc(l.recent, now.Add(-time.Second), func(t, limit time.Time) int {
		if t.After(limit) {
			return 1
		}
		return -1
	})
	l.recent = append(l.recent[gone:], now)
	l.stats.Calls++
	l.stats.MaxPerSecond = max(l.stats.MaxPerSecond, len(l.recent))
	r.Seq, r.Started = l.stats.Calls, now
}

// end adds the record of a call, before the answer is sent: a caller that has the
// answer finds its record.
func (l *callLog) end(r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Answered = time.Now()
	s := &l.stats
	s.Asked += int64(len(r.IDs))
	s.Returned += int64(r.Returned)
	s.Billed += int64(r.Billed)
	s.ByStatus[r.Status]++
	if r.Status == 429 {
		s.RateLimited++
	}
	if r.Fault != "" {
		s.ByFault[r.Fault]++
	}
	if l.out != nil && l.out.Encode(r) != nil {
		s.LogErrors++
	}
	if len(l.records) < l.size {
		l.records = append(l.records, r)
		return
	}
	l.records[l.oldest] = r
	l.oldest = (l.oldest + 1) % l.size
}

// snapshot returns the counts so far.
func (l *callLog) snapshot() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.ByStatus, s.ByFault = maps.Clone(s.ByStatus), maps.Clone(s.ByFault)
	return s
}

// all returns the calls kept, by the order in which they were answered.
func (l *callLog) all() []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Concat(l.records[l.oldest:], l.records[:l.oldest])
}

func keyHash(key string) string {
	if key == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:4])
}
