// Package report reads what people look at: statistics of the schedule, lists of
// tweets, and what became of recent batches. It is behind the dashboard, the API
// and the command line, and writes nothing.
package report
