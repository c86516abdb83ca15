package cli

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/golang-jwt/jwt/v5"
	"github.com/nats-io/nats.go"

	"gorgone/internal/devstack/runfile"
)

// mistakes are made by those who run the engine, and would let others in.
func (s *target) mistakes() map[string]func() seen {
	legacy := func(role string) string {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": "supabase", "ref": "x", "role": role}).SignedString([]byte(userSecret))
		s.must(err)
		return token
	}
	return map[string]func() seen{
		"setup: `SUPABASE_ANON_KEY` is a secret key":         s.starting("SUPABASE_ANON_KEY", "sb_secret_0123456789abcdef"),
		"setup: `SUPABASE_ANON_KEY` is the `service_role`'s": s.starting("SUPABASE_ANON_KEY", legacy("service_role")),
		"setup: `SUPABASE_ANON_KEY` is another secret":       s.starting("SUPABASE_ANON_KEY", userSecret),
		"setup: `SUPABASE_ANON_KEY` is the `anon` key":       s.starting("SUPABASE_ANON_KEY", legacy("anon")),
		"setup: a password in a setting that is logged":      s.starting("TWITTER_API_URL", "https://user:hunter2@example.com"),
		"setup: a signing key in a setting that is logged":   s.starting("GORGONE_WEB_PUBLIC_URL", "https://example.com/"+signingKey),
		"setup: QStash's API without TLS":                    s.starting("QSTASH_URL", "http://qstash.upstash.io"),
		"setup: users may update their own profile":          s.ownProfile,
		"NATS of `up`, without its password":                 s.natsWithout,
	}
}

// starting starts a command with a variable set.
func (s *target) starting(name, value string) func() seen {
	return func() seen {
		before, had := os.LookupEnv(name)
		s.must(os.Setenv(name, value))
		defer func() {
			if had {
				s.must(os.Setenv(name, before))
			} else {
				s.must(os.Unsetenv(name))
			}
		}()
		out, code := gorgone(s.t, "", "stats", "--data-dir", s.up.dir)
		return seen{exit: true, status: code, body: out}
	}
}

// ownProfile has doctor look at a policy that is often copied, and runs the SQL that it
// prints.
func (s *target) ownProfile() seen {
	conn := s.up.sql()
	exec := func(sql string) {
		s.t.Helper()
		_, err := conn.Exec(s.t.Context(), sql)
		s.must(err)
	}
	exec(`do $$ begin create role anon; exception when duplicate_object then null; end $$`)
	exec(`do $$ begin create role authenticated; exception when duplicate_object then null; end $$`)
	exec(`grant all on public.profiles to anon, authenticated`) // as Supabase does
	s.up.run("doctor")                                          // no policy lets them
	exec(`create policy own on public.profiles for update to authenticated using (true)`)
	out, code := gorgone(s.t, "", "doctor", "--data-dir", s.up.dir)
	_, sql, found := strings.Cut(out, "run as the table's owner: ")
	if !found || !strings.Contains(out, "authenticated may update client_id and role") {
		s.t.Errorf("doctor does not say what to run:\n%s", out)
		return seen{exit: true, status: code}
	}
	sql, _, _ = strings.Cut(sql, "\n")
	exec(sql)
	s.up.run("doctor") // mended
	exec(`set role authenticated`)
	exec(`update public.profiles set organization = 'mine'`)
	if _, err := conn.Exec(s.t.Context(), `update public.profiles set role = 'super_admin'`); err == nil {
		s.t.Error("a user can still make itself an administrator")
	}
	exec(`reset role`)
	return seen{exit: true, status: code}
}

// natsWithout connects as any user of this machine can who sees the port.
func (s *target) natsWithout() seen {
	r, err := runfile.Read(s.up.dir)
	s.must(err)
	u, err := url.Parse(r.NATSURL)
	s.must(err)
	genuine, err := nats.Connect(u.String())
	s.must(err)
	genuine.Close()
	for _, user := range []*url.Userinfo{nil, url.UserPassword(u.User.Username(), "guess"), url.User(u.User.Username())} {
		u.User = user
		nc, err := nats.Connect(u.String())
		if err == nil {
			nc.Close()
			return seen{code: fmt.Sprintf("%v is let in", user)}
		}
	}
	return seen{code: "refused"}
}
