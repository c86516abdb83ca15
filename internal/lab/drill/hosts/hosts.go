// Package hosts gives processes of one machine hosts of their own: each is a network
// namespace with an address, and between them, in place of a switch, this process carries
// the packets, with a delay, and loses some. What is lost the kernels send again, as on a
// real network.
//
// Nothing is left of it when this process ends, however it ends: the namespaces have no
// name, and live as long as the threads that made them and what was started from those.
package hosts

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/sourcegraph/conc"
)

// ErrNotAllowed is wrapped by the error of [New] where the system gives no namespaces.
var ErrNotAllowed = errors.New("hosts of their own need Linux, root (CAP_SYS_ADMIN, CAP_NET_ADMIN) and /dev/net/tun")

// Conditions are how the network is between two hosts. Between a host and this process they
// are half as bad: what goes from one host to another by way of this process meets them once.
type Conditions struct {
	Latency time.Duration // of each packet, one way
	Jitter  time.Duration // at most so much comes on top; packets stay in order
	Loss    float64       // share of the packets that are lost, 0 to 1
	Seed    uint64        // of which are lost
}

// Network is hosts that reach each other. It is safe for concurrent use.
type Network struct {
	conditions Conditions
	prefix     netip.Prefix
	own        netip.Addr // of this process

	mu      sync.RWMutex
	ports   map[netip.Addr]*port
	hosts   map[string]*Host
	carried conc.WaitGroup
	closed  chan struct{}
}

// Host is where processes run.
type Host struct {
	address netip.Addr
	port    *port       // nil: this machine
	work    chan func() // is done on the host's thread; nil: anywhere
	living  conc.WaitGroup
}

// Loopback returns a network on which all hosts are this machine, at 127.0.0.1.
func Loopback() *Network {
	return &Network{own: netip.AddrFrom4([4]byte{127, 0, 0, 1}), hosts: make(map[string]*Host), closed: make(chan struct{})}
}

// New returns a network with no host yet but this machine. Its addresses are of
// 198.18.0.0/16, which is set aside for such. The error wraps [ErrNotAllowed] where there
// can be none.
func New(c Conditions) (*Network, error) {
	device, number, err := openTUN("gorgone%d")
	if err != nil {
		return nil, fmt.Errorf("join the network of the hosts: %w: %w", ErrNotAllowed, err)
	}
	n := &Network{conditions: c, ports: make(map[netip.Addr]*port), hosts: make(map[string]*Host), closed: make(chan struct{})}
	// The kernel gives each network of this machine another number.
	n.prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(number), 0}), 24)
	n.own = n.prefix.Addr().Next()
	p := &port{device: device, uplink: true}
	err = fmt.Errorf("there are %d other networks", number)
	if number < 256 {
		err = configure(fmt.Sprintf("gorgone%d", number), netip.PrefixFrom(n.own, n.prefix.Bits()))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("join the network of the hosts: %w: %w", ErrNotAllowed, err), device.Close())
	}
	n.plug(n.own, p)
	return n, nil
}

// Address is that of this machine, by which the hosts reach it.
func (n *Network) Address() string { return n.own.String() }

// Host returns the host of a name, and makes it when there is none yet.
func (n *Network) Host(name string) (*Host, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.hosts[name]; h != nil {
		return h, nil
	}
	h := &Host{address: n.own}
	if n.ports != nil {
		h.address = n.prefix.Addr()
		for range len(n.ports) + 1 {
			h.address = h.address.Next()
		}
		if !n.prefix.Contains(h.address.Next()) {
			return nil, fmt.Errorf("make host %s: the network is full", name)
		}
		if err := h.settle(netip.PrefixFrom(h.address, n.prefix.Bits())); err != nil {
			return nil, fmt.Errorf("make host %s: %w: %w", name, ErrNotAllowed, err)
		}
		n.plugLocked(h.address, h.port)
	}
	n.hosts[name] = h
	return h, nil
}

// settle starts the thread of the host, and gives it a network of its own.
func (h *Host) settle(address netip.Prefix) error {
	h.work = make(chan func())
	failed := make(chan error)
	h.living.Go(func() {
		// It is never unlocked: the thread ends with this function.
		runtime.LockOSThread()
		h.port = &port{}
		var err error
		if h.port.device, err = separate(address); err != nil {
			failed <- err
			return
		}
		failed <- nil
		for do := range h.work {
			do()
		}
	})
	return <-failed
}

// Address is the host's.
func (h *Host) Address() string { return h.address.String() }

// At is a port of the host, as others address it.
func (h *Host) At(port int) string { return net.JoinHostPort(h.Address(), strconv.Itoa(port)) }

// Start starts a process on the host. It ends with the host if its Pdeathsig says so.
func (h *Host) Start(cmd *exec.Cmd) error { return h.on(cmd.Start) }

// on does something as the host sees the system.
func (h *Host) on(do func() error) error {
	if h.work == nil {
		return do()
	}
	done := make(chan error, 1)
	h.work <- func() { done <- do() }
	return <-done
}

// Mount puts an empty disk of its own into a folder of the host, which it makes. Nothing else
// sees what is on it, and it is gone with the host. size is in bytes, of memory as it is used.
func (h *Host) Mount(dir string, size int64) error {
	if h.work == nil {
		return fmt.Errorf("mount a disk at %s: this machine is left as it is", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("mount a disk at %s: %w", dir, err)
	}
	if err := h.on(func() error { return mount(dir, size) }); err != nil {
		return fmt.Errorf("mount a disk at %s: %w: %w", dir, ErrNotAllowed, err)
	}
	return nil
}

// ballast is the file that fills a disk.
const ballast = "ballast"

// Fill fills the disk that is mounted there, and returns what frees it again.
func (h *Host) Fill(dir string) (free func() error, err error) {
	if h.work == nil {
		return nil, fmt.Errorf("fill the disk at %s: this machine is left as it is", dir)
	}
	file := filepath.Join(dir, ballast)
	free = func() error { return h.on(func() error { return os.Remove(file) }) }
	if err := h.on(func() error { return fill(file) }); err != nil {
		return nil, errors.Join(fmt.Errorf("fill the disk at %s: %w", dir, err), free())
	}
	return free, nil
}

// fill writes a file until there is no space left.
func fill(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	for size := 1 << 20; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			size /= 2 // what is left may be less
		}
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// Isolate carries no packet from or to a host until it is called again with false. Its
// connections stay open, and neither end is told. On a network of one machine it fails.
func (n *Network) Isolate(name string, isolated bool) error {
	n.mu.RLock()
	defer n.mu.RUnlock()
	h := n.hosts[name]
	if h == nil || h.port == nil {
		return fmt.Errorf("isolate %s: it is no host of its own", name)
	}
	h.port.isolated.Store(isolated)
	return nil
}

// Close ends the hosts. Processes on them should have ended.
func (n *Network) Close() {
	close(n.closed)
	n.mu.RLock()
	for _, h := range n.hosts {
		if h.work != nil {
			close(h.work)
			h.living.Wait()
		}
	}
	for _, p := range n.ports {
		_ = p.device.Close() // nothing is kept there
	}
	n.mu.RUnlock() // packets still under way ask where they go
	n.carried.Wait()
}

// random is what decides about the packets that come from an address.
func (n *Network) random(from netip.Addr) *rand.Rand {
	return rand.New(rand.NewPCG(n.conditions.Seed, uint64(from.As4()[3])))
}
