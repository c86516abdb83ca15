package config

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"gorgone/internal/failure"
)

// Load reads the environment. Its error, of kind failure.Usage, lists every fault at
// once and never shows a value, which may be a secret in the wrong place.
func Load() (Config, error) {
	var c Config
	var faults []error
	for f, v := range settings(&c) {
		if err := load(f, v); err != nil {
			faults = append(faults, err)
		}
	}
	_, c.Database.Chosen = os.LookupEnv("GORGONE_DB_MAX_CONNS")
	_, c.Retention.Chosen = os.LookupEnv("GORGONE_RETENTION")
	if err := c.check(faults); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Check is what [Load] says of settings that come from elsewhere.
func (c *Config) Check() error { return c.check(nil) }

func (c *Config) check(faults []error) error {
	if err := errors.Join(append(faults, c.validate()...)...); err != nil {
		return failure.Usagef("the configuration has faults (see docs/configuration.md):\n%w", err)
	}
	return nil
}

// settings iterates over every field of the sections that a variable sets.
func settings(c *Config) iter.Seq2[reflect.StructField, reflect.Value] {
	return func(yield func(reflect.StructField, reflect.Value) bool) {
		for _, section := range reflect.ValueOf(c).Elem().Fields() {
			for f, v := range section.Fields() {
				if f.Tag.Get("envconfig") != "" && !yield(f, v) {
					return
				}
			}
		}
	}
}

// load sets one field from its variable. Envconfig is given a struct of that field
// alone: of a whole section it would stop at the first fault.
func load(f reflect.StructField, field reflect.Value) error {
	if isSecret(f) {
		value, err := readSecret(f.Tag.Get("envconfig"), os.LookupEnv)
		if errors.Is(err, errEmptyFile) && f.Tag.Get("file") == mayBeEmpty {
			err = nil
		}
		field.SetString(value)
		return err
	}
	alone := reflect.New(reflect.StructOf([]reflect.StructField{f}))
	err := envconfig.Process("", alone.Interface())
	if parse, ok := errors.AsType[*envconfig.ParseError](err); ok {
		// Its message holds the raw value.
		return fmt.Errorf("%s is not %s: %s", parse.KeyName, kindName(f.Type), f.Tag.Get("desc"))
	}
	field.Set(alone.Elem().Field(0))
	return err
}

// mayBeEmpty is the tag "file" of a secret that a deployment can do without: its file is
// mounted all the same, and an empty one leaves it unset.
const mayBeEmpty = "may be empty"

func isSecret(f reflect.StructField) bool { return f.Type == reflect.TypeFor[Secret]() }

func kindName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 5s, 10m or 1h"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Float64:
		return "a number"
	default:
		return "valid"
	}
}

// Variable is one line of the table in docs/configuration.md.
type Variable struct {
	Name, Default, Description string
	Secret                     bool // may be given as a file, by Name + "_FILE"
}

// Variables lists every variable, in the order of the sections.
func Variables() []Variable {
	var all []Variable
	for f := range settings(new(Config)) {
		all = append(all, Variable{f.Tag.Get("envconfig"), f.Tag.Get("default"), f.Tag.Get("desc"), isSecret(f)})
	}
	return all
}

// Unknown returns the names of variables of this process that begin with GORGONE_ and
// mean nothing: most likely they are misspelt. They do not stop a start, so that an
// older version can be put back without taking away the newer one's settings.
func Unknown() []string { return unknown(os.Environ()) }

func unknown(environ []string) (names []string) {
	known := make(map[string]bool)
	for _, v := range Variables() {
		known[v.Name] = true
		if v.Secret {
			known[v.Name+fileSuffix] = true
		}
	}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		// GORGONE_TEST_... is for the tests.
		if strings.HasPrefix(name, "GORGONE_") && !strings.HasPrefix(name, "GORGONE_TEST_") && !known[name] {
			names = append(names, name)
		}
	}
	return names
}
