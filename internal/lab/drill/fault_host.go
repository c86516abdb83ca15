package drill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gorgone/internal/lab/drill/supervise"
	"gorgone/internal/lab/proc"
)

const (
	leader  = "leader"  // the node that leads a stream
	primary = "primary" // of the databases, and
	standby = "standby"
	silent  = "silent" // with its host, so that no connection is closed
)

// hostFaults are hosts that are cut off, and disks of theirs that are full.
func hostFaults() family {
	node := func(p *planner) event {
		return event{target: p.one(partNATS, p.Nodes), length: p.seconds(1, 5)}
	}
	leading := func(p *planner) event {
		stream := []string{"ENG_BATCH", "ENG_REFRESH", "KV_" + pauseBucket, "KV_" + paceBucket}[p.random.IntN(4)]
		return event{target: partNATS, link: stream, length: p.seconds(1, 5)}
	}
	return family{least: 1, most: 5, faults: []faultKind{
		{kind: isolate, draw: node, begin: isolated},
		{kind: isolate, what: leader, draw: leading, begin: lostLeader},
		{kind: kill, what: leader, draw: leading, begin: lostLeader},
		{kind: isolate, draw: func(p *planner) event {
			return event{target: p.one(partWorker, p.Workers), length: p.seconds(1, 5)}
		}, begin: isolated},
		{kind: diskFull, draw: func(p *planner) event {
			return event{target: p.one(partNATS, p.Nodes), length: p.seconds(3, 8)}
		}, begin: filledDisk},
	}}
}

// isolated cuts a host off. What is on its way then is sent again and again, each time after
// twice as long: so it is felt for as long again, at least.
func isolated(ctx context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	target := e.target
	return w.begun(e, func() error { return w.network.Isolate(target, true) }, func() error {
		err := w.network.Isolate(target, false)
		sleep(ctx, e.length)
		w.awaitNode(ctx, target)
		return err
	})
}

// lostLeader kills or cuts off the node that leads a stream then.
func lostLeader(ctx context.Context, w *world, e *event, random *rand.Rand) (heal func() error, err error) {
	asking, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	js, err := jetstream.New(w.nats)
	if err != nil {
		return nil, err
	}
	stream, err := js.Stream(asking, e.link)
	if err != nil {
		return nil, fmt.Errorf("find who leads %s: %w", e.link, err)
	}
	cluster := stream.CachedInfo().Cluster
	if cluster == nil {
		return nil, fmt.Errorf("%s has no leader", e.link)
	}
	for i, node := range w.nodes {
		if cluster.Leader != nodeName(i) {
			continue
		}
		e.target = node.Name
		if e.kind == kill {
			return killed(ctx, w, e, random)
		}
		return isolated(ctx, w, e, random)
	}
	return nil, fmt.Errorf("%s is led by %q", e.link, cluster.Leader)
}

// isolatedDatabase cuts the primary or the standby off: commits wait for both.
func isolatedDatabase(ctx context.Context, w *world, e *event, random *rand.Rand) (heal func() error, err error) {
	e.target = w.databases.on(e.what)
	return isolated(ctx, w, e, random)
}

// lostSilently is [promoted] where the primary's host goes with it: no connection is closed.
// It comes back empty, with the new standby.
func lostSilently(ctx context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	host := w.databases.on(primary)
	if err := w.network.Isolate(host, true); err != nil {
		return nil, err
	}
	replace, err := w.begun(e, w.databases.crash, func() error { return w.databases.promote(ctx) })
	if err != nil {
		return nil, errors.Join(err, w.network.Isolate(host, false))
	}
	return func() error {
		return errors.Join(replace(), w.network.Isolate(host, false), w.databases.follow(ctx))
	}, nil
}

// filledDisk has a node's disk full for a while. A node whose streams have given up then is
// started again, as what watches its health does in earnest.
func filledDisk(ctx context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	node := w.find(e.target)
	host, err := w.network.Host(e.target)
	if err != nil {
		return nil, err
	}
	var free func() error
	return w.begun(e, func() (err error) {
		free, err = host.Fill(w.store(e.target))
		return err
	}, func() error {
		if err := free(); err != nil {
			return err
		}
		if !w.isHealthy(ctx, e.target, "?js-enabled-only=true") {
			node.Kill()
		}
		err := node.Start()
		w.awaitNode(ctx, e.target)
		return err
	})
}

// awaitNode waits until a NATS node has what the others have: until then the cluster may lack
// a majority without it. Of others than nodes it knows nothing.
func (w *world) awaitNode(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	for !w.isHealthy(ctx, name, "") && sleep(ctx, 100*time.Millisecond) {
	}
}

// isHealthy asks a NATS node what deploy/kubernetes asks it.
func (w *world) isHealthy(ctx context.Context, name, query string) bool {
	i := slices.IndexFunc(w.nodes, func(p *supervise.Process) bool { return p.Name == name })
	if i < 0 {
		return true
	}
	page, err := proc.Fetch(ctx, fetchWithin, "http://"+w.natsPages[i]+"/healthz"+query)
	return err == nil && bytes.Contains(page, []byte(`"ok"`))
}
