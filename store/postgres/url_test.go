package postgres_test

import (
	"strings"
	"testing"

	"gorgone/internal/postgres/pgtest"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

// TestErrorsShowNoPartOfAPassword has urls that are read wrongly, and right ones of
// servers that are not there.
func TestErrorsShowNoPartOfAPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://u:p@hush@127.0.0.1:1/db",
		"postgres://u:12/hush@127.0.0.1:1/db",
		"postgres://u:hush/hush@127.0.0.1:1/db",
		"postgres://u:hush?hush@127.0.0.1:1/db",
		"postgres://u:hush#hush@127.0.0.1:1/db",
		"postgres://u:hush%zz@127.0.0.1:1/db",
		"postgres://u:hu sh:hush@127.0.0.1:1/db",
		"postgres://u:hush@127.0.0.1:hush/db",
		"postgres://u:hush@[127.0.0.1:1/db",
		"postgres://u:hush@127.0.0.1:1,127.0.0.1:2/db",
		"postgres://u@127.0.0.1:1/db?password=hush&sslmode=hush",
		"postgres://u@127.0.0.1:1/db?password=hush@hush",
		"postgres://u:hush@127.0.0.1:1/db?sslpassword=hush&sslcert=/none&sslkey=/none",
		"host=127.0.0.1 port=1 user=u password=p hush",
		"host=127.0.0.1 port=1 user=u password=hush sslmode=hush",
		"host=127.0.0.1 port=1 user=u password='hush sslpassword=hush",
		`host=127.0.0.1 port=1 user=u password='hu\'sh' sslpassword=hush dbname=db`,
		"u:hush@127.0.0.1:1/db",
		"mysql://u:hush@127.0.0.1:1/db",
		"hush",
	} {
		_, err := postgres.Connect(t.Context(), postgres.Config{URL: url})
		_, migrateErr := postgres.Migrate(t.Context(), url)
		for _, err := range []error{err, migrateErr} {
			if err == nil || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "hu") && !strings.Contains(err.Error(), "thu") {
				t.Errorf("%s: %v", url, err)
			}
		}
	}
}

// TestOtherFormsOfAnAddress connects with each form that Postgres's own programs take.
func TestOtherFormsOfAnAddress(t *testing.T) {
	t.Parallel()
	direct := storetest.AsRole(t, pgtest.NewDatabase(t), "odd_password", "")
	conn := pgtest.Connect(t, pgtest.NewDatabase(t))
	if _, err := conn.Exec(t.Context(), `create role odd_password login superuser password 'a@b:c/d?e#f%g h''i\j'`); err != nil {
		t.Fatal(err)
	}
	const encoded = "a%40b%3Ac%2Fd%3Fe%23f%25g%20h%27i%5Cj"
	_, rest, _ := strings.Cut(direct, "@")
	host, database, _ := strings.Cut(rest, "/")
	address, port, _ := strings.Cut(host, ":")
	database, _, _ = strings.Cut(database, "?")
	for _, url := range []string{
		"postgres://odd_password:" + encoded + "@" + rest,
		"postgresql://odd_password:" + encoded + "@" + rest,
		"postgres://odd_password:" + encoded + "@127.0.0.1:1," + host + "/" + database,
		"postgres://" + host + "/" + database + "?user=odd_password&password=" + encoded,
		`host=` + address + ` port=` + port + ` user=odd_password dbname=` + database + ` password='a@b:c/d?e#f%g h\'i\\j' sslpassword=x`,
	} {
		storetest.Connect(t, postgres.Config{URL: url})
		if _, err := postgres.Migrate(t.Context(), url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}
