package auth_test

import (
	"net/http"
	"strings"
	"testing"

	"gorgone/web/auth"
)

func TestBearer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines  []string
		token  string
		reason auth.Reason
	}{
		"token":            {[]string{"Bearer abc.DEF-1_2~+/=="}, "abc.DEF-1_2~+/==", ""},
		"any case":         {[]string{"bEARER abc"}, "abc", ""},
		"several spaces":   {[]string{"Bearer   abc"}, "abc", ""},
		"longest":          {[]string{"Bearer " + strings.Repeat("a", 16<<10-7)}, strings.Repeat("a", 16<<10-7), ""},
		"none":             {nil, "", auth.ReasonNone},
		"empty":            {[]string{""}, "", auth.ReasonNone},
		"another scheme":   {[]string{"Basic dXNlcjpwYXNz"}, "", auth.ReasonNone},
		"token alone":      {[]string{"abc"}, "", auth.ReasonNone},
		"scheme alone":     {[]string{"Bearer"}, "", auth.ReasonMalformed},
		"scheme and space": {[]string{"Bearer "}, "", auth.ReasonMalformed},
		"padding alone":    {[]string{"Bearer =="}, "", auth.ReasonMalformed},
		"two tokens":       {[]string{"Bearer abc def"}, "", auth.ReasonMalformed},
		"two headers":      {[]string{"Bearer abc", "Bearer abc"}, "", auth.ReasonMalformed},
		"comma":            {[]string{"Bearer abc, Bearer def"}, "", auth.ReasonMalformed},
		"quotes":           {[]string{`Bearer "abc"`}, "", auth.ReasonMalformed},
		"padding within":   {[]string{"Bearer a=b"}, "", auth.ReasonMalformed},
		"beyond ASCII":     {[]string{"Bearer abcé"}, "", auth.ReasonMalformed},
		"tab":              {[]string{"Bearer\tabc"}, "", auth.ReasonNone},
		"too large":        {[]string{"Bearer " + strings.Repeat("a", 16<<10)}, "", auth.ReasonTooLarge},
	} {
		token, err := auth.Bearer(http.Header{"Authorization": c.lines})
		if token != c.token {
			t.Errorf("%s: %q, want %q", name, token, c.token)
		}
		wantReason(t, err, c.reason)
	}
}
