// Package address checks the addresses of servers that settings hold, and keeps them out
// of errors: an address may hold a password, and an error ends in logs.
package address

import (
	"errors"
	"net/url"
	"strings"
)

// errAmbiguous is returned for an address of which a part of the password would be read
// as a host, a path or a query, and shown as one.
var errAmbiguous = errors.New("an @ stands where none may. In a user name and a password, characters that mean something " +
	"in an address are written percent-encoded: %40 for @, %2F for /, %3A for :, %3F for ?, %23 for #, %25 for %")

// errNotURL is returned for what cannot be read as an address.
var errNotURL = errors.New("it is not of the form scheme://host")

// CheckCredentials returns what is wrong with the user name and password of a URL, if
// there are any: an @ ends them, and none may follow. ends are the characters that end the
// part of the URL in which they stand. Errors show nothing of the URL.
func CheckCredentials(raw, ends string) error {
	_, rest, found := strings.Cut(raw, "://")
	if !found {
		return errNotURL
	}
	credentials, after, found := strings.Cut(rest, "@")
	if found && (strings.ContainsAny(credentials, ends) || strings.Contains(after, "@")) {
		return errAmbiguous
	}
	return nil
}

// CheckPlain returns what is wrong with the address of a service that takes its
// credentials elsewhere: it must be a URL of http or https without any. Errors show
// nothing of it.
func CheckPlain(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errNotURL // its error quotes the address
	case u.User != nil || strings.Contains(raw, "@"):
		return errors.New("it must not hold a user name or a password")
	case u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("it is not of the form https://host")
	}
	return nil
}

// Without takes off the part of an error that quotes the URL of a request.
func Without(err error) error {
	if quoting, ok := errors.AsType[*url.Error](err); ok {
		return quoting.Err
	}
	return err
}
