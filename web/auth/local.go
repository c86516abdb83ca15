package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

const (
	// codeLife is how long a login code is valid.
	codeLife = 12 * time.Hour

	// sessionLife is how long a session lasts.
	sessionLife = 24 * time.Hour

	// maxLocal is the most codes, and the most sessions, at once. One more ends the oldest.
	maxLocal = 1000
)

// Local is a login for whoever can read this process's output: a code, valid once, is
// exchanged for a session, which a browser keeps in a cookie that scripts cannot read and
// other sites cannot send. Codes and sessions are kept in memory, as hashes, and end with
// the process, but for sessions that are kept in a file. It is safe for concurrent use.
//
// It is for a server that only this machine can reach.
type Local struct {
	cookie string
	random io.Reader
	now    func() time.Time
	origin *http.CrossOriginProtection

	mu       sync.Mutex
	codes    map[[sha256.Size]byte]time.Time // valid until
	sessions map[[sha256.Size]byte]time.Time
	file     string // that sessions are kept in; may be empty
}

// ErrNotLocal is returned for a server that other machines can reach.
var ErrNotLocal = errors.New("the local login is for a server on a loopback address")

// NewLocal returns the local login of a server that listens on addr, or
// [ErrNotLocal]. random must be crypto/rand's outside of tests; now tells real
// time.
func NewLocal(addr net.Addr, random io.Reader, now func() time.Time) (*Local, error) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() {
		return nil, fmt.Errorf("%w, and it listens on %s", ErrNotLocal, addr)
	}
	return &Local{
		// Browsers share cookies between ports, and several servers may run here.
		cookie: "gorgone_session_" + strconv.Itoa(tcp.Port),
		random: random, now: now, origin: http.NewCrossOriginProtection(),
		codes: make(map[[sha256.Size]byte]time.Time), sessions: make(map[[sha256.Size]byte]time.Time),
	}, nil
}

// Code returns a new code, valid for one login.
func (l *Local) Code() (string, error) { return l.issue(l.codes, codeLife) }

// issue creates a secret and stores its hash in a set.
func (l *Local) issue(set map[[sha256.Size]byte]time.Time, life time.Duration) (string, error) {
	raw := make([]byte, tokenEntropy)
	if _, err := io.ReadFull(l.random, raw); err != nil {
		return "", fmt.Errorf("create a secret of the local login: %w", err)
	}
	secret := base64.RawURLEncoding.EncodeToString(raw)
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for hash, until := range set {
		if !now.Before(until) {
			delete(set, hash)
		}
	}
	if len(set) >= maxLocal {
		delete(set, soonest(set))
	}
	set[sha256.Sum256([]byte(secret))] = now.Add(life)
	return secret, l.write()
}

// soonest returns the member of a set that ends first: the oldest.
func soonest(set map[[sha256.Size]byte]time.Time) (first [sha256.Size]byte) {
	var end time.Time
	for hash, until := range set {
		if end.IsZero() || until.Before(end) {
			first, end = hash, until
		}
	}
	return first
}

// Enter exchanges a code for a session, and returns the cookie to set.
func (l *Local) Enter(r *http.Request, code string) (*http.Cookie, error) {
	if err := l.checkOrigin(r); err != nil {
		return nil, err
	}
	if !l.redeem(code) {
		return nil, refuse(ReasonCode)
	}
	session, err := l.issue(l.sessions, sessionLife)
	if err != nil {
		return nil, err
	}
	return l.newCookie(session, sessionLife), nil
}

// redeem uses up a code, and reports whether it was valid.
func (l *Local) redeem(code string) bool {
	hash := sha256.Sum256([]byte(code))
	l.mu.Lock()
	defer l.mu.Unlock()
	until, known := l.codes[hash]
	delete(l.codes, hash)
	return known && l.now().Before(until)
}

// Leave ends the session of a request, and returns a cookie that deletes the
// browser's.
func (l *Local) Leave(r *http.Request) *http.Cookie {
	if c, err := r.Cookie(l.cookie); err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.sessions, sha256.Sum256([]byte(c.Value)))
		_ = l.write() // a session that has been ended here may then outlive the process
	}
	return l.newCookie("", -time.Second)
}

// newCookie returns a cookie that is not marked Secure: on a loopback address there is no
// TLS, and no network in between.
func (l *Local) newCookie(value string, life time.Duration) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // see above
		Name: l.cookie, Value: value, Path: "/", MaxAge: int(life.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}

// hasCookie reports whether a request has a session cookie, valid or not.
func (l *Local) hasCookie(r *http.Request) bool {
	_, err := r.Cookie(l.cookie)
	return err == nil
}

// Verify returns the principal of a session, which may do everything.
func (l *Local) Verify(r *http.Request) (Principal, error) {
	cookies := r.CookiesNamed(l.cookie)
	if len(cookies) != 1 {
		return Principal{}, refuse(ReasonMalformed)
	}
	if err := l.checkOrigin(r); err != nil {
		return Principal{}, err
	}
	hash := sha256.Sum256([]byte(cookies[0].Value))
	l.mu.Lock()
	until, known := l.sessions[hash]
	l.mu.Unlock()
	if !known || !l.now().Before(until) {
		return Principal{}, refuse(ReasonSession)
	}
	return Principal{Kind: KindLocal, Name: string(KindLocal), Scopes: Scopes(), Expires: until}, nil
}

// checkOrigin refuses requests that a page of another site makes a browser send: by DNS
// rebinding (the Host is then not this machine's) or across origins. A SameSite cookie is
// not enough, since other ports of this machine are the same site.
func (l *Local) checkOrigin(r *http.Request) error {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if len(host) > 2 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return refuse(ReasonHost)
	}
	if err := l.origin.Check(r); err != nil {
		return refuse(ReasonOrigin)
	}
	return nil
}
