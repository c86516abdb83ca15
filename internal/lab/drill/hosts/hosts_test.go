package hosts_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorgone/internal/lab/drill/hosts"
)

// open opens a network that closes with the test; ok is false where the system gives none, as
// to others than root, or in a container. The gate tells by other means whether it does, and
// its drill fails if it does and this package says that it does not.
func open(t *testing.T, c hosts.Conditions) (n *hosts.Network, ok bool) {
	t.Helper()
	n, err := hosts.New(c)
	if errors.Is(err, hosts.ErrNotAllowed) {
		t.Logf("NOT TESTED: %v", err)
		return nil, false
	}
	if os.Geteuid() != 0 {
		t.Errorf("without root: %v, want that it is needed", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n, true
}

func host(t *testing.T, n *hosts.Network, name string) *hosts.Host {
	t.Helper()
	h, err := n.Host(name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// connection is one from a to b, with both its ends.
func connection(t *testing.T, a, b *hosts.Host) (from, to net.Conn) {
	t.Helper()
	var listener net.Listener
	if err := b.On(func() (err error) {
		listener, err = net.Listen("tcp", b.Address()+":0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := a.On(func() (err error) {
		from, err = net.Dial("tcp", listener.Addr().String())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = from.Close() })
	to, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = to.Close() })
	return from, to
}

func TestPacketsAreLateAndLost(t *testing.T) {
	t.Parallel()
	const latency = 20 * time.Millisecond
	n, ok := open(t, hosts.Conditions{Latency: latency, Jitter: time.Millisecond, Loss: 0.02, Seed: 1})
	if !ok {
		return
	}
	a, b := host(t, n, "a"), host(t, n, "b")
	began := time.Now()
	from, to := connection(t, a, b)
	if took := time.Since(began); took < 2*latency {
		t.Errorf("a connection took %s, want a packet each way, %s each", took, latency)
	}
	if got, _, _ := strings.Cut(to.RemoteAddr().String(), ":"); got != a.Address() || a.Address() == b.Address() {
		t.Errorf("%s is called from %s, want %s", b.Address(), got, a.Address())
	}
	sent := bytes.Repeat([]byte("what is lost is sent again. "), 50_000)
	go func() {
		_, _ = from.Write(sent)
		_ = from.Close()
	}()
	if got, err := io.ReadAll(to); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes arrived of %d, or others: %v", len(got), len(sent), err)
	}
	if again := sentAgain(t, a); again < 3 {
		t.Errorf("%d of about a thousand packets were sent again, want 20 or so", again)
	}
}

// sentAgain is how many TCP segments a host has sent more than once.
func sentAgain(t *testing.T, h *hosts.Host) (n int) {
	t.Helper()
	var table []byte
	if err := h.On(func() (err error) {
		table, err = os.ReadFile("/proc/thread-self/net/snmp")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		switch {
		case fields[0] != "Tcp:":
		case names == nil:
			names = fields
		default:
			for i, name := range names {
				if name == "RetransSegs" {
					if _, err := fmt.Sscan(fields[i], &n); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	return n
}

// From a host that is isolated nothing comes, and all of it when it no longer is.
func TestIsolate(t *testing.T) {
	t.Parallel()
	n, ok := open(t, hosts.Conditions{})
	if !ok {
		return
	}
	from, to := connection(t, host(t, n, "a"), host(t, n, "b"))
	if err := n.Isolate("a", true); err != nil {
		t.Fatal(err)
	}
	if _, err := from.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := to.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read from a host that is isolated: %v, want that nothing comes", err)
	}
	if err := errors.Join(n.Isolate("a", false), to.SetReadDeadline(time.Now().Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Read(make([]byte, 1)); err != nil {
		t.Errorf("read from a host that is no longer isolated: %v", err)
	}
}

// A process on a host has the host's network, and reaches us.
func TestStart(t *testing.T) {
	t.Parallel()
	n, ok := open(t, hosts.Conditions{})
	if !ok {
		return
	}
	a := host(t, n, "a")
	listener, err := net.Listen("tcp", n.Address()+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address, port, _ := strings.Cut(listener.Addr().String(), ":")
	cmd := exec.Command("bash", "-c", "exec cat /proc/self/net/dev >/dev/tcp/"+address+"/"+port)
	if err := a.Start(cmd); err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	devices, err := io.ReadAll(conn)
	if err != nil || !bytes.Contains(devices, []byte("net0")) || bytes.Contains(devices, []byte("gorgone")) {
		t.Errorf("a process on a host sees the interfaces\n%s%v", devices, err)
	}
	if got, _, _ := strings.Cut(conn.RemoteAddr().String(), ":"); got != a.Address() {
		t.Errorf("called from %s, want %s", got, a.Address())
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// A disk is the host's alone. While it is full nothing can be written, and what was stays.
func TestDisk(t *testing.T) {
	t.Parallel()
	n, ok := open(t, hosts.Conditions{})
	if !ok {
		return
	}
	a, dir := host(t, n, "a"), filepath.Join(t.TempDir(), "disk")
	if err := a.Mount(dir, 1<<20); err != nil {
		t.Fatal(err)
	}
	write := func(name string) error {
		return a.On(func() error { return os.WriteFile(filepath.Join(dir, name), make([]byte, 10_000), 0o600) })
	}
	if err := write("before"); err != nil {
		t.Fatal(err)
	}
	free, err := a.Fill(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := write("full"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("written to a full disk: %v", err)
	}
	if err := errors.Join(free(), write("after")); err != nil {
		t.Errorf("a disk that is free again: %v", err)
	}
	if err := a.On(func() error {
		before, err := os.ReadFile(filepath.Join(dir, "before"))
		if len(before) != 10_000 {
			t.Errorf("%d bytes are left of a file from before", len(before))
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
		t.Errorf("others see %v: %v", names, err)
	}
}

// Of a network that is closed no interface is left.
func TestClose(t *testing.T) {
	t.Parallel()
	n, ok := open(t, hosts.Conditions{})
	if !ok {
		return
	}
	closed, err := hosts.New(hosts.Conditions{})
	if err != nil {
		t.Fatal(err)
	}
	host(t, closed, "a")
	address := closed.Address()
	closed.Close()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, a := range all {
		ip, _, _ := net.ParseCIDR(a.String())
		found[ip.String()] = true
	}
	if !found[n.Address()] || found[address] {
		t.Errorf("addresses %v: want %s of a network there is, and not %s of one that is closed", all, n.Address(), address)
	}
}

// On one machine all hosts have its address.
func TestLoopback(t *testing.T) {
	t.Parallel()
	n := hosts.Loopback()
	defer n.Close()
	cmd := exec.Command("true")
	h := host(t, n, "a")
	if err := errors.Join(h.Start(cmd), cmd.Wait()); err != nil || h.Address() != "127.0.0.1" || n.Address() != h.Address() {
		t.Errorf("host %s of network %s: %v", h.Address(), n.Address(), err)
	}
	if n.Isolate("a", true) == nil {
		t.Error("this machine can be isolated from itself")
	}
}

// A client that knows the identity believes it, and another does not.
func TestIdentity(t *testing.T) {
	t.Parallel()
	n := hosts.Loopback()
	defer n.Close()
	file := filepath.Join(t.TempDir(), "roots.pem")
	ours, err := n.Identity(time.Now(), file)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ours}, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	defer server.Close()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		t.Fatal("the file has no certificate")
	}
	for _, c := range []struct {
		roots *x509.CertPool
		known bool
	}{{roots, true}, {x509.NewCertPool(), false}} {
		conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{RootCAs: c.roots, MinVersion: tls.VersionTLS13})
		if err == nil {
			err = conn.Close()
		}
		if (err == nil) != c.known {
			t.Errorf("with the identity known (%v): %v", c.known, err)
		}
	}
}
