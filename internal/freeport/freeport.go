// Package freeport finds ports for servers that must know theirs before they listen.
package freeport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

const (
	// Ports are taken from below those that systems hand out to connections, and to who asks
	// for any, so that one is still free when its server listens, or comes back.
	lowest  = 15_000
	highest = 30_000
)

// Find returns n ports of the loopback interface on which nothing listens.
func Find(ctx context.Context, n int) (ports []int, err error) {
	var listener net.ListenConfig
	for tries := 0; len(ports) < n; tries++ {
		port := lowest + rand.IntN(highest-lowest)
		l, err := listener.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			if tries > 100*n {
				return nil, fmt.Errorf("find a free port: %w", err)
			}
			continue
		}
		defer l.Close() // at the end, so that no port is found twice
		ports = append(ports, port)
	}
	return ports, nil
}
