package postgres

import (
	"net"
	"testing"
)

func TestEncryption(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ip        string // "": a socket of this machine
		encrypted bool
		warned    bool
	}{
		{"", false, false},
		{"127.0.0.1", false, false},
		{"::1", false, false},
		{"10.0.0.5", false, false},
		{"fd12::5", false, false},
		{"172.20.0.3", false, false},
		{"203.0.113.5", false, true},
		{"2001:db8::5", false, true},
		{"203.0.113.5", true, false},
	} {
		if detail, fix := encryption(net.ParseIP(c.ip), c.encrypted); (fix != "") != c.warned || detail == "" {
			t.Errorf("%q, encrypted %v: %q, to do: %q", c.ip, c.encrypted, detail, fix)
		}
	}
}
