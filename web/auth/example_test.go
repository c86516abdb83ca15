package auth_test

import (
	"fmt"
	"net/http"

	"github.com/rs/zerolog"

	"gorgone/web/auth"
)

// A guard that knows one service, which may refresh tweets and nothing else.
func ExampleGuard() {
	const token = "a-token-of-at-least-32-random-bytes"
	entry, err := auth.TokenEntry("dashboard", []auth.Scope{auth.ScopeRefresh}, token)
	if err != nil {
		panic(err)
	}
	tokens, err := auth.NewTokens([]string{entry})
	if err != nil {
		panic(err)
	}
	guard := auth.NewGuard(auth.GuardConfig{Tokens: tokens, Log: zerolog.Nop()})

	r := &http.Request{Header: http.Header{"Authorization": {"Bearer " + token}}}
	caller, err := guard.Identify(r, nil)
	fmt.Println(caller.Kind, caller.Name, caller.Can(auth.ScopeRefresh), caller.Can(auth.ScopeOperate), err)

	r.Header.Set("Authorization", "Bearer guessed-token")
	_, err = guard.Identify(r, nil)
	reason, _ := auth.Refused(err)
	fmt.Println(reason, auth.Status(err))
	// Output:
	// service dashboard true false <nil>
	// unknown_token 401
}
