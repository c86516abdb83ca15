// Package check checks docker-compose.yml and deploy/ with the programs' own readers:
// Compose files, Kubernetes objects, KEDA's resource definition, NATS configurations,
// Prometheus rules and the Grafana dashboard. It has only tests; run go test ./... here.
package check
