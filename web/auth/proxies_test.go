package auth_test

import (
	"net/http"
	"strings"
	"testing"

	"gorgone/web/auth"
)

func proxies(tb testing.TB, list ...string) auth.Proxies {
	tb.Helper()
	p, err := auth.ParseProxies(list)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestClientAddr(t *testing.T) {
	t.Parallel()
	trusted := proxies(t, "10.0.0.0/8", "192.0.2.7", "fd00::/8")
	for name, c := range map[string]struct {
		trusted   auth.Proxies
		remote    string
		forwarded []string
		want      string
	}{
		"no proxy is trusted":        {nil, "10.0.0.1:1234", []string{"203.0.113.9"}, "10.0.0.1"},
		"not from a proxy":           {trusted, "203.0.113.5:1234", []string{"198.51.100.1"}, "203.0.113.5"},
		"through a proxy":            {trusted, "10.0.0.1:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		"through two":                {trusted, "10.0.0.1:1234", []string{"203.0.113.9, 192.0.2.7"}, "203.0.113.9"},
		"made up before the proxies": {trusted, "10.0.0.1:1234", []string{"127.0.0.1, 198.51.100.1, 203.0.113.9, 10.1.1.1"}, "203.0.113.9"},
		"over several lines":         {trusted, "10.0.0.1:1234", []string{"198.51.100.1", "203.0.113.9", "10.1.1.1"}, "203.0.113.9"},
		"without spaces":             {trusted, "10.0.0.1:1234", []string{"198.51.100.1,203.0.113.9,10.1.1.1"}, "203.0.113.9"},
		"a proxy itself":             {trusted, "10.0.0.1:1234", nil, "10.0.0.1"},
		"only proxies":               {trusted, "10.0.0.1:1234", []string{"10.9.9.9, 10.8.8.8"}, "10.9.9.9"},
		"garbage":                    {trusted, "10.0.0.1:1234", []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		"garbage behind a proxy":     {trusted, "10.0.0.1:1234", []string{"<script>, 10.1.1.1"}, "10.1.1.1"},
		"empty":                      {trusted, "10.0.0.1:1234", []string{""}, "10.0.0.1"},
		"commas":                     {trusted, "10.0.0.1:1234", []string{",,,"}, "10.0.0.1"},
		"with a port":                {trusted, "10.0.0.1:1234", []string{"203.0.113.9:5555"}, "203.0.113.9"},
		"IPv6":                       {trusted, "[fd00::1]:1234", []string{"2001:db8::9"}, "2001:db8::9"},
		"IPv6 with a port":           {trusted, "[fd00::1]:1234", []string{"[2001:db8::9]:5555"}, "2001:db8::9"},
		"IPv6 with a zone":           {nil, "[fe80::1%eth0]:1234", nil, "fe80::1"},
		"IPv4 in IPv6":               {trusted, "[::ffff:10.0.0.1]:1234", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		"more hops than are read":    {trusted, "10.0.0.1:1234", []string{"203.0.113.9" + strings.Repeat(",10.0.0.2", 40)}, "10.0.0.2"},
		"no address":                 {trusted, "@", []string{"203.0.113.9"}, "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := c.trusted.ClientAddr(r).String(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestParseProxiesRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "proxy", "10.0.0.0/33", "10.0.0.1:80", "0.0.0.0/0", "::/0", "fe80::1%eth0", "::ffff:10.0.0.0/104"} {
		if p, err := auth.ParseProxies([]string{s}); err == nil {
			t.Errorf("%q is taken for %v", s, p)
		}
	}
	_, err := auth.ParseProxies([]string{"x", "10.0.0.1", "y"})
	if n := allFaults(err); n != 2 {
		t.Errorf("%d faults at once, want 2: %v", n, err)
	}
}
