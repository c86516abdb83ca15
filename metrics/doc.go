// Package metrics exports what the engine does as Prometheus metrics.
//
// Every name begins with gorgone_. Labels have few values, all known in advance: never a
// tweet, a zone, a user or foreign text. docs/operations.md says what to watch.
//
// No other package imports this one: they report through small interfaces and functions
// of their own, which [Metrics] implements.
package metrics
