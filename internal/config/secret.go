package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Secret is a value that is never printed.
type Secret string

// String returns "(set)", or nothing of an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(set)"
}

// GoString keeps %#v from printing the value.
func (s Secret) GoString() string { return s.String() }

// MarshalText keeps encoders from printing the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// fileSuffix ends the name of the variable that names a file with the secret, as
// orchestrators mount them: DATABASE_URL_FILE for DATABASE_URL.
const fileSuffix = "_FILE"

// maxSecret is how long a secret may be. More is most likely the wrong file.
const maxSecret = 64 << 10

// errEmptyFile is wrapped by the error for the file of a secret that has nothing in it.
var errEmptyFile = errors.New("it is empty")

// readSecret returns the secret that a variable holds, or else the content of the
// file that the variable's _FILE names, without the line end that editors add. The
// error shows neither: a secret may have been put in the wrong place.
func readSecret(name string, lookup func(string) (string, bool)) (string, error) {
	value, _ := lookup(name)
	path, _ := lookup(name + fileSuffix)
	switch {
	case path == "":
		return value, nil
	case value != "":
		return "", fmt.Errorf("%s and %s are both set: which one is meant?", name, name+fileSuffix)
	}
	data, err := readFile(path)
	if err != nil {
		if fault, ok := errors.AsType[*fs.PathError](err); ok {
			err = fault.Err // without the path
		}
		return "", fmt.Errorf("%s names a file that cannot be used: %w", name+fileSuffix, err)
	}
	return data, nil
}

func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(data), "\r\n")
	switch {
	case len(data) > maxSecret:
		return "", fmt.Errorf("it is longer than %d bytes", maxSecret)
	case secret == "":
		return "", errEmptyFile
	case strings.ContainsAny(secret, "\r\n\x00"):
		return "", errors.New("it has more than one line")
	}
	return secret, nil
}
