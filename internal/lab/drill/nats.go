package drill

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"gorgone/internal/freeport"
	"gorgone/internal/lab/drill/hosts"
)

// startNATS starts the nodes, each on a host of its own, and waits until they answer.
func (w *world) startNATS(ctx context.Context) error {
	ports, err := freeport.Find(ctx, 3*w.Nodes)
	if err != nil {
		return err
	}
	var on []*hosts.Host
	var routes []string
	for i := range w.Nodes {
		h, err := w.network.Host(fmt.Sprintf("%s-%d", partNATS, i+1))
		if err != nil {
			return err
		}
		on = append(on, h)
		w.natsAddresses = append(w.natsAddresses, h.At(ports[3*i]))
		w.natsPages = append(w.natsPages, h.At(ports[3*i+1]))
		routes = append(routes, h.At(ports[3*i+2]))
	}
	for i, h := range on {
		name := fmt.Sprintf("%s-%d", partNATS, i+1)
		args := []string{"nats", "--store", w.store(name), "--host", h.Address(), "--port", strconv.Itoa(ports[3*i]), "--http-port", strconv.Itoa(ports[3*i+1]), "--name", nodeName(i)}
		if w.Nodes > 1 {
			args = append(args, "--cluster", "drill", "--cluster-port", strconv.Itoa(ports[3*i+2]), "--cluster-nodes", strings.Join(routes, ","))
		}
		if w.Hosts {
			if err := h.Mount(w.store(name), diskSize); err != nil {
				return err
			}
		}
		node := w.newProcess(name, h, nil, args...)
		w.nodes = append(w.nodes, node)
		if err := node.Start(); err != nil {
			return err
		}
	}
	w.nats, err = nats.Connect(natsURL(w.natsAddresses), nats.Name(drillName), nats.MaxReconnects(-1),
		nats.ReconnectWait(100*time.Millisecond), nats.RetryOnFailedConnect(true))
	if err != nil {
		return fmt.Errorf("connect to nats: %w", err)
	}
	for !w.nats.IsConnected() {
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("connect to nats: %w", context.Cause(ctx))
		}
	}
	return nil
}

// diskSize is what fits on the disk of a node's host, in bytes. It is memory, as far as used.
const diskSize = 128 << 20

// store is the folder of a node's streams.
func (w *world) store(node string) string { return filepath.Join(w.Dir, node) }

// nodeName is what the nodes call one of them.
func nodeName(i int) string { return fmt.Sprintf("node-%d", i+1) }

func natsURL(addresses []string) string { return "nats://" + strings.Join(addresses, ",nats://") }
