package web_test

import "strings"

// nastyText is text that has broken programs: characters that Postgres or UTF-8 do not
// have, numbers that overflow, and what means something to a program.
func nastyText() []string {
	return []string{
		"", " ", "\x00", "a\x00b", "\xff\xfe", "\xed\xa0\x80", "\xc0\xae", "é", "😀", "\u202e", "\ufeff", "\ufffd",
		"'; drop table zones--", "%00", "%", "../../etc/passwd", "..%2f", "*", "%_\\", "$1", "{}", "[]", "null", "true", "NaN", "Infinity",
		"0", "-0", "-1", "00", "+1", "1.5", "0x10", "1e9", "1e200000", "9223372036854775807", "9223372036854775808", "18446744073709551615",
		"18446744073709551616", "99999999999999999999999999", "1h", "-1h", "1e9h", "9999999h", "0s", "1ns", "2540400h10m10.000000000s",
		"2026-13-45", "9999-12-31T23:59:59Z", "0001-01-01", "2026-02-30", "2026-11-23T25:00:00Z", "2026-11-23T00:00:00+23:59",
		"00000000-0000-0000-0000-000000000000", "{6f1c0000-0000-0000-0000-000000000000}", "urn:uuid:6f1c0000-0000-0000-0000-000000000000",
		"ffffffff-ffff-ffff-ffff-ffffffffffff", "20", "1981517640000000000", "1981517640000000000.csv", ".csv", strings.Repeat("x", 300), strings.Repeat("é", 5000),
	}
}

// nastyJSON is JSON of the same kind, some of it none.
func nastyJSON() []string {
	list := []string{
		`null`, `true`, `0`, `-1`, `-0`, `1.5`, `1e5`, `1e308`, `1e309`, `1e200000`, `-1e200000`, `1e-200000`, `1E99999999999`, `0e200000`,
		`2147483648`, `9007199254740993`, `9223372036854775808`, `18446744073709551616`, strings.Repeat("9", 500),
		`""`, `"\u0000"`, `"\ud800"`, `"\udc00x"`, `"\ud83d\ude00"`, `"\ud83d😀"`, "\"\xff\"", "\"\xed\xa0\x80\"", `"\u202e"`, `"` + strings.Repeat("x", 70_000) + `"`,
		`[]`, `{}`, `{"":null}`, `{"a":1,"a":2}`, `{"\u0000":1}`, `{"\ud800":{"a":"\udfff"}}`, `{"a":1e200000}`, `{"a":{"b":["\ud800"]}}`,
		strings.Repeat("[", 300) + strings.Repeat("]", 300), strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000),
		``, ` `, `{`, `{"a"}`, `[1,]`, `{}{}`, `"`, `nul`, `NaN`, "\x00", "\ufeff{}",
	}
	for _, text := range []string{"'; drop table zones--", "1e200000", "00000000-0000-0000-0000-000000000000", "9999-12-31T23:59:59Z", "-1", "é"} {
		list = append(list, `"`+text+`"`)
	}
	return list
}
