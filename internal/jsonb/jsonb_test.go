package jsonb_test

import (
	"strings"
	"testing"

	"gorgone/internal/jsonb"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestCheck asks Postgres itself about each value.
func TestCheck(t *testing.T) {
	t.Parallel()
	db := pgtest.Connect(t, pgtest.NewEmptyDatabase(t))
	nested := func(open, closing string, n int) string {
		return strings.Repeat(open, n) + "1" + strings.Repeat(closing, n)
	}
	for _, value := range []string{
		`null`, `true`, `{}`, `[1, "a"]`, `{"a":1,"a":2}`, `-0`, `1.50`, ` 1 `,
		``, ` `, `{`, `[1,]`, `1 2`, `{}{}`, `nul`, "\"\t\"",
		`1e131071`, `1e131072`, `12e131070`, `12e131071`, `0.001e131074`, `0.001e131075`, `1e200000`, `-1e200000`, `1E99999999999`,
		`1e-16383`, `1e-16384`, `1.5e-16382`, `1.5e-16383`, `1e-200000`, `0e200000`, `0e-16384`, `0.0e16383`, `00`, `1e+10`,
		strings.Repeat("9", 131_072), strings.Repeat("9", 131_073), "0." + strings.Repeat("9", 16_383), "0." + strings.Repeat("9", 16_384),
		`"\u0000"`, `"\\u0000"`, `{"\u0000":1}`, `{"a":["\u0000"]}`, `"\ud83d"`, `"\ude00"`, `"\ud83d\ude00"`, `"\ud83d😀"`, `{"\ud800":1}`, "\"\xff\"", "\"\xed\xa0\x80\"",
		nested("[", "]", 5000), nested(`{"a":`, "}", 5000),
	} {
		var stored string
		refusal := db.QueryRow(t.Context(), `select $1::text::jsonb::text`, value).Scan(&stored)
		if err := jsonb.Check([]byte(value)); (err == nil) != (refusal == nil) {
			t.Errorf("%.40q: %v, and Postgres says %v", value, err, refusal)
		}
	}
	if err := jsonb.Check([]byte(`{"a":[1,{"b":1e200000}]}`)); err == nil || !strings.Contains(err.Error(), "/a/1/b") {
		t.Errorf("the error does not say where: %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"a":[1e5,"\ud83d\ude00"]}`))
	f.Add([]byte(`1e200000`))
	f.Fuzz(func(t *testing.T, value []byte) {
		if err := jsonb.Check(value); err != nil && strings.Contains(err.Error(), "jsontext") {
			t.Errorf("%q: %v", value, err)
		}
	})
}
