// Package metrics counts what the engine does, in the form that Prometheus reads.
//
// Every name begins with gorgone_. Labels take few values, all known beforehand:
// never a tweet, a zone, a user or a text of somebody else's. docs/operations.md
// says what to look at when.
//
// The package knows the others and none of them knows it: they tell of their work
// through small interfaces and functions of their own, which [Metrics] fits.
package metrics
