// Package jsonb knows which JSON Postgres stores: its jsonb is stricter than the standard.
package jsonb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The largest number that Postgres holds, in decimal digits before and after the point.
// Source: PostgreSQL documentation, "Arbitrary Precision Numbers".
const (
	maxBefore = 131_072
	maxAfter  = 16_383
)

// Check returns why Postgres cannot store a value as jsonb, and nil if it can. The error
// names what is wrong and where (RFC 6901), and quotes nothing of the value. Members may
// have the same name, and values may be nested 10,000 deep.
func Check(value []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true))
	for whole := false; ; whole = d.StackDepth() == 0 {
		token, err := d.ReadToken()
		switch {
		case errors.Is(err, io.EOF) && whole:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("it is no JSON")
		case err != nil: // also for what is not UTF-8, and half of a surrogate pair
			return errors.New(strings.TrimPrefix(err.Error(), "jsontext: "))
		case whole:
			return errors.New("it is more than one JSON value")
		case token.Kind() == '"' && strings.ContainsRune(token.String(), 0):
			return fmt.Errorf("a null character at %q", d.StackPointer())
		case token.Kind() == '0' && !fits(token.String()):
			return fmt.Errorf("a number out of range at %q", d.StackPointer())
		}
	}
}

// fits reports whether a JSON number has no more digits than Postgres holds.
func fits(number string) bool {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(number, "-")), "e")
	shift := 0
	if exponent != "" {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil || shift > 1<<20 || shift < -1<<20 {
			return false
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	before := len(digits) - len(fraction) + shift
	return len(fraction)-shift <= maxAfter && (digits == "" || before <= maxBefore)
}
