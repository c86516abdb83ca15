// Package check checks what lies in deploy/ with the programs' own readers: compose
// files, Kubernetes objects, KEDA's definition, NATS configurations, Prometheus rules
// and the Grafana dashboard. It has only tests: go test ./... in this folder.
package check
