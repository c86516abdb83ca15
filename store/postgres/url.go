package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"gorgone/internal/address"
)

// errURL is what is said of an address that cannot be read, since a library's error
// would quote of it what it did not take for the password.
const errURL = "the database url is not of the form postgres://user:password@host:5432/database " +
	"(in user and password, characters such as @ / : % and blanks are written percent-encoded: %40 %2F %3A %25 %20), " +
	"nor host=… user=… password='…' dbname=…"

// parseURL reads the address of a database. Its error shows nothing of it.
func parseURL(raw string) (*pgxpool.Config, error) {
	if strings.Contains(raw, "://") {
		if err := address.CheckCredentials(raw, "/"); err != nil {
			return nil, said{"the database url: " + err.Error(), err}
		}
	}
	config, err := pgxpool.ParseConfig(raw)
	if err != nil {
		for _, known := range []string{"invalid port", "sslmode is invalid", "unable to read CA file", "unable to read cert"} {
			if strings.Contains(err.Error(), known) {
				return nil, errors.New(errURL + ": " + known)
			}
		}
		return nil, errors.New(errURL)
	}
	if strings.ContainsAny(config.ConnConfig.Host, "@") {
		return nil, errors.New(errURL) // a part of a password
	}
	return config, nil
}
