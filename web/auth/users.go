package auth

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

const (
	userAudience = "authenticated"
	userRole     = "authenticated"
	userLeeway   = 5 * time.Second

	// minUserSecret is the least length of a shared secret (RFC 7518, 3.2).
	minUserSecret = 32
)

// UserConfig configures which sessions are accepted.
type UserConfig struct {
	// Issuer is the "iss" of a token: https://<ref>.supabase.co/auth/v1.
	Issuer string
	// Audience is the "aud". Defaults to "authenticated".
	Audience string
	// Keys are the issuer's public keys, for ES256 and RS256. May be nil if Secret is
	// set.
	Keys *Keys
	// Secret is the project's shared secret, for HS256. Empty: such tokens are refused.
	Secret []byte
	// Now tells real time. Defaults to time.Now.
	Now func() time.Time
}

// Users authenticates users by access tokens of Supabase Auth. Roles in a token are
// ignored, as users can change some of its claims; see [ZoneAccess].
//
// A token is valid until it expires, about an hour: signing out does not revoke it.
type Users struct {
	issuer  string
	keys    *Keys
	secret  []byte
	methods []string
	parser  *jwt.Parser
}

// NewUsers returns a Users, or an error with all faults of the configuration.
func NewUsers(config UserConfig) (*Users, error) {
	config.Audience = cmp.Or(config.Audience, userAudience)
	if config.Now == nil {
		config.Now = time.Now
	}
	u := &Users{issuer: strings.TrimRight(config.Issuer, "/"), keys: config.Keys, secret: config.Secret}
	var faults []error
	if issuer, err := url.Parse(config.Issuer); err != nil || issuer.Scheme == "" || issuer.Host == "" {
		faults = append(faults, errors.New("users: the issuer must be the URL of Supabase Auth, such as https://<ref>.supabase.co/auth/v1"))
	}
	if u.keys != nil {
		u.methods = append(u.methods, jwt.SigningMethodES256.Alg(), jwt.SigningMethodRS256.Alg())
	}
	if len(u.secret) > 0 {
		u.methods = append(u.methods, jwt.SigningMethodHS256.Alg())
		if len(u.secret) < minUserSecret {
			faults = append(faults, fmt.Errorf("users: the shared secret is too short: it has %d bytes, at least %d are needed", len(u.secret), minUserSecret))
		}
	}
	if len(u.methods) == 0 {
		faults = append(faults, errors.New("users: neither the issuer's keys nor its shared secret are configured"))
	}
	u.parser = jwt.NewParser(
		jwt.WithValidMethods(u.methods),
		jwt.WithIssuer(u.issuer),
		jwt.WithAudience(config.Audience),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(userLeeway),
		jwt.WithTimeFunc(config.Now),
		jwt.WithStrictDecoding(),
	)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return u, nil
}

// Run keeps the issuer's keys up to date until ctx ends.
func (u *Users) Run(ctx context.Context) {
	if u.keys != nil {
		u.keys.Run(ctx)
	}
}

type userClaims struct {
	jwt.RegisteredClaims
	Role      string `json:"role"`
	Anonymous bool   `json:"is_anonymous"`
}

// Verify returns the token's user. It never waits: an unknown key is refused at once and
// fetched in the background. An error is a [RefusedError], or [ErrUnavailable] before the
// first keys have been fetched.
func (u *Users) Verify(token string) (Principal, error) {
	if len(token) > maxBearer {
		return Principal{}, refuse(ReasonTooLarge)
	}
	var claims userClaims
	parsed, err := u.parser.ParseWithClaims(token, &claims, u.key)
	if err != nil {
		err = tokenRefusal(parsed, err, u.methods...)
		if reason, _ := Refused(err); reason == ReasonIssuer {
			err = &RefusedError{ReasonIssuer, "tokens of " + u.issuer + " are accepted: is that who signs users in? (SUPABASE_URL, SUPABASE_ISSUER)"}
		}
		return Principal{}, err
	}
	id, err := uuid.Parse(claims.Subject)
	switch {
	case err != nil || len(claims.Subject) != len(uuid.UUID{}.String()) || id == uuid.Nil:
		return Principal{}, refuse(ReasonSubject)
	case claims.Role != userRole:
		return Principal{}, refuse(ReasonRole)
	case claims.Anonymous:
		return Principal{}, refuse(ReasonAnonymous)
	}
	return Principal{Kind: KindUser, Name: id.String(), UserID: id, Expires: claims.ExpiresAt.Time}, nil
}

// key returns the only key that may have signed a token, of exactly the type that its
// algorithm needs: otherwise a public key could pass as a shared secret.
func (u *Users) key(token *jwt.Token) (any, error) {
	if err := checkHeader(token); err != nil {
		return nil, err
	}
	alg := token.Method.Alg()
	if alg == jwt.SigningMethodHS256.Alg() {
		return u.secret, nil
	}
	id, _ := token.Header["kid"].(string)
	if id == "" {
		return nil, refuse(ReasonUnknownKey)
	}
	key, err := u.keys.find(id)
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if alg == jwt.SigningMethodES256.Alg() {
			return key, nil
		}
	case *rsa.PublicKey:
		if alg == jwt.SigningMethodRS256.Alg() {
			return key, nil
		}
	}
	return nil, refuse(ReasonAlgorithm)
}
