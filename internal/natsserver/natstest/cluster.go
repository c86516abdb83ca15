package natstest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"gorgone/internal/freeport"
)

// clusterPatience bounds how long a cluster may take to elect its leader.
const clusterPatience = time.Minute

// Cluster is a cluster of NATS servers in this process.
type Cluster struct {
	servers []*server.Server
}

// StartCluster starts n servers that stop with the test, and waits until they have
// a leader and all take part.
func StartCluster(tb testing.TB, n int) *Cluster {
	tb.Helper()
	ports, err := freeport.Find(tb.Context(), n)
	if err != nil {
		tb.Fatalf("natstest: %v", err)
	}
	var routes []*url.URL
	for _, p := range ports {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", p)})
	}
	c := &Cluster{}
	for i, port := range ports {
		ns, err := server.NewServer(&server.Options{
			ServerName:         fmt.Sprintf("node-%d", i+1),
			Host:               "127.0.0.1",
			Port:               -1,
			Cluster:            server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port},
			Routes:             routes,
			JetStream:          true,
			StoreDir:           tb.TempDir(),
			JetStreamMaxMemory: 256 << 20,
			JetStreamMaxStore:  10 << 30,
			NoSigs:             true,
			NoLog:              true,
		})
		if err != nil {
			tb.Fatalf("natstest: %v", err)
		}
		ns.Start()
		tb.Cleanup(func() {
			ns.Shutdown()
			ns.WaitForShutdown()
		})
		c.servers = append(c.servers, ns)
	}
	c.awaitLeader(tb)
	return c
}

func (c *Cluster) awaitLeader(tb testing.TB) {
	tb.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(clusterPatience); time.Now().Before(deadline); <-tick.C {
		for _, ns := range c.servers {
			if ns.JetStreamIsLeader() && len(ns.JetStreamClusterPeers()) == len(c.servers) && ns.JetStreamIsCurrent() {
				return
			}
		}
	}
	tb.Fatalf("natstest: %d servers formed no cluster within %s", len(c.servers), clusterPatience)
}

// URL returns the addresses of all servers, comma-separated.
func (c *Cluster) URL() string {
	var list []string
	for _, ns := range c.servers {
		list = append(list, ns.ClientURL())
	}
	return strings.Join(list, ",")
}

// StopLeaderOf stops the server that leads the stream.
func (c *Cluster) StopLeaderOf(tb testing.TB, stream string) {
	tb.Helper()
	for _, ns := range c.servers {
		if ns.JetStreamIsStreamLeader("$G", stream) {
			ns.Shutdown()
			ns.WaitForShutdown()
			return
		}
	}
	tb.Fatalf("natstest: no server leads stream %s", stream)
}

// StepDown has the server that leads the stream, if any does, hand the lead to another.
func (c *Cluster) StepDown(stream string) {
	for _, ns := range c.servers {
		if ns.JetStreamIsStreamLeader("$G", stream) {
			_ = ns.JetStreamStepdownStream("$G", stream) // it has none any more
			return
		}
	}
}

// Connect returns a bare connection to one of the servers, for breaking what is under test.
func (c *Cluster) Connect(tb testing.TB) *nats.Conn {
	tb.Helper()
	nc, err := nats.Connect(c.URL())
	if err != nil {
		tb.Fatalf("natstest: %v", err)
	}
	tb.Cleanup(nc.Close)
	return nc
}

// LoseQuorum stops all servers but one, and waits until that knows that the stream has no
// leader any more. It can still be reached.
func (c *Cluster) LoseQuorum(tb testing.TB, stream string) {
	tb.Helper()
	for _, ns := range c.servers[1:] {
		ns.Shutdown()
		ns.WaitForShutdown()
	}
	// One that was handed the lead in the last moment leads on until it misses the others.
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(clusterPatience); c.servers[0].JetStreamIsStreamLeader("$G", stream); <-tick.C {
		if time.Now().After(deadline) {
			tb.Fatalf("natstest: stream %s still has a leader", stream)
		}
	}
}
