package hosts

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

const (
	// mtu is what a packet has at most, in bytes.
	mtu = 1500

	// queueLength is how many packets may be on their way from one host to another; more are
	// lost, as in a router.
	queueLength = 1000
)

// port is where a host is plugged in.
type port struct {
	device   *os.File // reads and writes one packet at a time
	uplink   bool     // of this process
	isolated atomic.Bool
}

// packet is on its way.
type packet struct {
	bytes []byte
	due   time.Time
}

// queue is what is on its way from one host to another.
type queue struct {
	packets chan packet
	last    time.Time // when the last of them is due
}

func (n *Network) plug(address netip.Addr, p *port) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.plugLocked(address, p)
}

// plugLocked is plug for those that hold the lock.
func (n *Network) plugLocked(address netip.Addr, p *port) {
	n.ports[address] = p
	n.carried.Go(func() { n.carry(address, p) })
}

// carry takes what a host sends to where it goes, until the network is closed.
func (n *Network) carry(address netip.Addr, from *port) {
	queues := make(map[*port]*queue)
	defer func() {
		for _, q := range queues {
			close(q.packets)
		}
	}()
	random := n.random(address)
	for buffer := make([]byte, mtu); ; {
		size, err := from.device.Read(buffer)
		if err != nil {
			return
		}
		to := n.receiver(buffer[:size])
		if to == nil || from.isolated.Load() || to.isolated.Load() {
			continue
		}
		late, lost := n.happens(random, from.uplink || to.uplink)
		if lost {
			continue
		}
		q := queues[to]
		if q == nil {
			q = &queue{packets: make(chan packet, queueLength)}
			queues[to] = q
			n.carried.Go(func() { n.deliver(to, q.packets) })
		}
		if due := time.Now().Add(late); due.After(q.last) {
			q.last = due
		}
		select {
		case q.packets <- packet{bytes: append([]byte(nil), buffer[:size]...), due: q.last}:
		default: // the queue is full
		}
	}
}

// happens draws what happens to a packet.
func (n *Network) happens(random *rand.Rand, halfway bool) (late time.Duration, lost bool) {
	late, share := n.conditions.Latency, n.conditions.Loss
	if n.conditions.Jitter > 0 {
		late += time.Duration(random.Int64N(int64(n.conditions.Jitter)))
	}
	if halfway {
		late, share = late/2, share/2
	}
	return late, random.Float64() < share
}

// receiver is the port of the host that an IPv4 packet is for; nil: there is none.
func (n *Network) receiver(packet []byte) *port {
	if len(packet) < 20 || packet[0]>>4 != 4 {
		return nil
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.ports[netip.AddrFrom4([4]byte(packet[16:20]))]
}

// deliver hands packets over, each when it is due.
func (n *Network) deliver(to *port, packets <-chan packet) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for p := range packets {
		if wait := time.Until(p.due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-n.closed:
				return
			}
		}
		_, _ = to.device.Write(p.bytes) // what cannot be taken is lost
	}
}
