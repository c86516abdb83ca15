package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"gorgone/store/access"
)

// Headers of a delivery by QStash.
const (
	HeaderSignature  = "Upstash-Signature"
	HeaderMessageID  = "Upstash-Message-Id"
	HeaderScheduleID = "Upstash-Schedule-Id"
)

const (
	qstashIssuer = "Upstash"
	qstashLeeway = 5 * time.Second // for clocks that differ

	// A genuine signature has some 600 bytes, and is good for 5 min.
	maxSignature      = 4 << 10
	maxQStashLife     = 24 * time.Hour
	maxDeliveryID     = 256 // length of an id that is remembered
	defaultQStashBody = 64 << 10

	// keepUses is how much longer than a token is good its use is remembered.
	keepUses = time.Hour
)

// QStashConfig configures the check of QStash's signatures.
type QStashConfig struct {
	// Keys are the signing keys, one pair for each region that delivers: 1 to 4.
	Keys []KeyPair
	// PublicURL is the address under which QStash reaches this server: https,
	// host, and the path before our routes, if a proxy strips one. The request's
	// Host header is not trusted.
	PublicURL string
	// MaxBody is the longest body of a delivery, in bytes. Defaults to 64 KiB.
	MaxBody int
	// Development accepts the published keys of QStash's development server, and
	// a PublicURL with plain http.
	Development bool
	// Uses records which message a token was used for. Required.
	Uses TokenUses
	// Now tells real time. Defaults to time.Now.
	Now func() time.Time
}

// TokenUses records which message a token was used for, over all replicas. [store.Store]
// does.
type TokenUses interface {
	UseToken(ctx context.Context, use access.QStashToken) (same bool, err error)
}

// QStash verifies that a request was delivered by Upstash QStash.
type QStash struct {
	keys      jwt.VerificationKeySet
	parser    *jwt.Parser
	publicURL string
	maxBody   int
	uses      TokenUses
	now       func() time.Time
}

// Message is a verified delivery. ID and ScheduleID are not signed: see [QStash.Admit] for
// what binds a token to its message.
type Message struct {
	ID         string    // of the message; unchanged when it is delivered again
	TokenID    string    // of the token ("jti"); different for each delivery
	ScheduleID string    // of the schedule that sent it, else empty
	BodyHash   [32]byte  // SHA-256 of the body
	Expires    time.Time // of the token
}

// NewQStash returns a verifier, or an error with all faults of the configuration.
func NewQStash(config QStashConfig) (*QStash, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	q := &QStash{publicURL: config.PublicURL, maxBody: config.MaxBody, uses: config.Uses, now: config.Now}
	// Current keys first: they sign all deliveries but those around a key rotation.
	for _, pair := range config.Keys {
		q.keys.Keys = append(q.keys.Keys, []byte(pair.Current))
	}
	for _, pair := range config.Keys {
		q.keys.Keys = append(q.keys.Keys, []byte(pair.Next))
	}
	q.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(qstashIssuer),
		jwt.WithExpirationRequired(),
		jwt.WithNotBeforeRequired(),
		jwt.WithLeeway(qstashLeeway),
		jwt.WithTimeFunc(config.Now),
		jwt.WithStrictDecoding(),
	)
	return q, nil
}

type qstashClaims struct {
	jwt.RegisteredClaims
	Body string `json:"body"`
}

// Admit checks a delivery as [QStash.Verify] does, and that its token was not used
// for another message. A repeated delivery is admitted: a route
// recognizes it by its message id. An error is a [RefusedError], or the failure to read
// the uses.
func (q *QStash) Admit(ctx context.Context, header http.Header, target string, body []byte) (Message, error) {
	m, err := q.Verify(header, target, body)
	if err != nil {
		return Message{}, err
	}
	same, err := q.uses.UseToken(ctx, access.QStashToken{
		TokenID: m.TokenID, MessageID: m.ID, BodyHash: m.BodyHash[:],
		At: q.now(), KeepUntil: m.Expires.Add(keepUses),
	})
	if err != nil {
		return Message{}, fmt.Errorf("look up what the delivery's token was used for: %w", err)
	}
	if !same {
		return Message{}, refuse(ReasonReplayed)
	}
	return m, nil
}

// Verify checks a delivery by itself: the request's header, its target as sent (path and
// query, [net/url.URL.RequestURI]), and its body, every byte as it came. An error
// is a [RefusedError].
func (q *QStash) Verify(header http.Header, target string, body []byte) (Message, error) {
	signatures := header.Values(HeaderSignature)
	switch {
	case len(signatures) == 0 || signatures[0] == "":
		return Message{}, refuse(ReasonNone)
	case len(signatures) > 1:
		return Message{}, refuse(ReasonMalformed)
	case len(signatures[0]) > maxSignature, len(body) > q.maxBody:
		return Message{}, refuse(ReasonTooLarge)
	}
	var claims qstashClaims
	token, err := q.parser.ParseWithClaims(signatures[0], &claims, func(token *jwt.Token) (any, error) {
		return q.keys, checkHeader(token)
	})
	if err != nil {
		return Message{}, tokenRefusal(token, err, jwt.SigningMethodHS256.Alg())
	}
	m := Message{
		ID:         header.Get(HeaderMessageID),
		TokenID:    claims.ID,
		ScheduleID: header.Get(HeaderScheduleID),
		BodyHash:   sha256.Sum256(body),
		Expires:    claims.ExpiresAt.Time,
	}
	if want := q.publicURL + target; normalized(claims.Subject) != normalized(want) {
		return Message{}, &RefusedError{ReasonSubject, "the signature is not for " + want + ": is that the URL that QStash calls?"}
	}
	sum := base64.RawURLEncoding.EncodeToString(m.BodyHash[:])
	if subtle.ConstantTimeCompare([]byte(strings.TrimRight(claims.Body, "=")), []byte(sum)) != 1 {
		return Message{}, refuse(ReasonBody)
	}
	// What is stored of a delivery must be present, and text of a limited size.
	switch {
	case !storable(m.ID):
		return Message{}, &RefusedError{ReasonClaim, HeaderMessageID}
	case !storable(m.TokenID):
		return Message{}, &RefusedError{ReasonClaim, "jti"}
	case m.Expires.Sub(q.now()) > maxQStashLife:
		return Message{}, &RefusedError{ReasonClaim, "exp is too far off"}
	}
	return m, nil
}

// normalized is a URL in the form in which equal ones are the same text: scheme and host
// in lower case, no default port, a path (RFC 3986, 6.2.2.1 and 6.2.3). Path and query
// are compared as they are written. What is no URL of ours is left as it is.
func normalized(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Host == "" || u.Fragment != "" {
		return text
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		u.Host = strings.TrimSuffix(u.Host, ":443")
	case "http":
		u.Host = strings.TrimSuffix(u.Host, ":80")
	}
	u.Host = strings.TrimSuffix(u.Host, ":")
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String()
}

// storable reports whether an id can be remembered.
func storable(id string) bool {
	return id != "" && len(id) <= maxDeliveryID && utf8.ValidString(id) && !strings.ContainsRune(id, 0)
}
