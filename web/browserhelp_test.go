//go:build browser

package web_test

import (
	"time"

	"github.com/chromedp/chromedp"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"gorgone/internal/testkit"
)

func navigate(url string) chromedp.Action {
	return chromedp.Evaluate("location.href = "+`"`+url+`"`, nil)
}

func focus(selector string) chromedp.Action {
	return chromedp.Focus(selector, chromedp.ByQuery)
}

// newClient makes a client of its own.
func (e *engine) newClient() uuid.UUID {
	e.t.Helper()
	id := uuid.New()
	e.exec(`insert into clients (id, name) values ($1, 'another')`, id)
	return id
}

// userOf returns the token of a new user of a client.
func (e *engine) userOf(role string, client uuid.UUID) string {
	e.t.Helper()
	id := uuid.New()
	e.exec(`insert into profiles (id, role, client_id) values ($1, $2, $3)`, id, role, client)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": issuer, "aud": "authenticated", "sub": id.String(), "role": "authenticated",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(userSecret)
	testkit.Must(e.t, err)
	return token
}
