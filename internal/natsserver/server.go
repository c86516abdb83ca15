// Package natsserver runs a NATS server with JetStream inside this process, for
// a single machine and for tests.
package natsserver

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

const (
	maxMemory = 256 << 20 // bytes of streams in memory
	maxStore  = 10 << 30  // bytes of streams on disk

	startTimeout = 15 * time.Second
	askTimeout   = 250 * time.Millisecond
)

// Options says how the server runs.
type Options struct {
	StoreDir   string // where streams are kept; required. One server a folder
	ServerName string // defaults to gorgone
	Host       string // address to listen on; defaults to 127.0.0.1
	Password   string // of the user gorgone, who may do everything; "": anyone who reaches the server is let in
	Users      []User // who may do less; they need a Password
	Port       int    // 0: in-process connections only; -1: any free port
	HTTPPort   int    // of the monitoring pages (/jsz, /healthz); 0: none; -1: any free port
	SyncAlways bool   // sync every write to disk: a power failure loses nothing that was acknowledged
	Cluster    Cluster
	Log        zerolog.Logger
}

// User may publish to the subjects that are named, subscribe to others and to its inboxes,
// and do nothing else. It has an account of its own: JetStream acknowledges to whatever
// subject a publisher names.
type User struct {
	Name, Password     string
	Publish, Subscribe string
	Inboxes            string
}

// Cluster makes a server one node of a cluster. The zero value is a server alone.
type Cluster struct {
	Name  string
	Port  int      // on which this node listens to the others
	Nodes []string // host and port of all nodes
}

func (o Options) validate() error {
	var faults []error
	if o.StoreDir == "" {
		// Without one the server would keep its streams in /tmp.
		faults = append(faults, errors.New("no store folder given"))
	}
	for _, p := range []struct {
		name string
		port int
	}{{"port", o.Port}, {"HTTP port", o.HTTPPort}} {
		if p.port < -1 || p.port > 65535 {
			faults = append(faults, fmt.Errorf("%s %d: must be in -1..65535", p.name, p.port))
		}
	}
	if len(o.Users) > 0 && o.Password == "" {
		faults = append(faults, errors.New("users without a password for the one who may do everything"))
	}
	return errors.Join(faults...)
}

// Server is a running embedded server.
type Server struct {
	ns   *server.Server
	user *url.Userinfo // nil: none is needed
}

// userName is the user of a server with a password who may do everything.
const userName = "gorgone"

// protect gives a server with a password its users and their accounts.
func (o Options) protect(options *server.Options) error {
	if o.Password == "" {
		return nil
	}
	all := server.NewAccount(server.DEFAULT_GLOBAL_ACCOUNT)
	options.Accounts = []*server.Account{all}
	options.Users = []*server.User{{Username: userName, Password: o.Password}}
	for _, u := range o.Users {
		own := server.NewAccount(u.Name)
		options.Accounts = append(options.Accounts, own)
		options.Users = append(options.Users, &server.User{Username: u.Name, Password: u.Password, Account: own, Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{u.Publish}},
			Subscribe: &server.SubjectPermission{Allow: []string{u.Subscribe, u.Inboxes}},
		}})
		if err := errors.Join(
			all.AddServiceExport(u.Publish, []*server.Account{own}), own.AddServiceImport(all, u.Publish, u.Publish),
			all.AddStreamExport(u.Subscribe, []*server.Account{own}), own.AddStreamImport(all, u.Subscribe, ""),
		); err != nil {
			return fmt.Errorf("user %s: %w", u.Name, err)
		}
	}
	return nil
}

func userInfo(o Options) *url.Userinfo {
	if o.Password == "" {
		return nil
	}
	return url.UserPassword(userName, o.Password)
}

// Start starts a server and returns when it takes connections and JetStream works.
func Start(o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("start nats: %w", err)
	}
	if o.ServerName == "" {
		o.ServerName = "gorgone"
	}
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	options := &server.Options{
		ServerName:         o.ServerName,
		DontListen:         o.Port == 0,
		Host:               o.Host,
		Port:               o.Port,
		HTTPHost:           o.Host,
		HTTPPort:           o.HTTPPort,
		JetStream:          true,
		StoreDir:           o.StoreDir,
		JetStreamMaxMemory: maxMemory,
		JetStreamMaxStore:  maxStore,
		SyncAlways:         o.SyncAlways,
		NoSigs:             true, // or it would take SIGINT from us and exit
	}
	o.join(options)
	if err := o.protect(options); err != nil {
		return nil, fmt.Errorf("start nats: %w", err)
	}
	ns, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("start nats: %w", err)
	}
	log := newLogger(o.Log)
	ns.SetLoggerV2(log, false, false, false)
	ns.Start()
	s := &Server{ns: ns, user: userInfo(o)}
	if err := s.ready(log.fatal); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start nats on %s with store %s: %w", net.JoinHostPort(o.Host, strconv.Itoa(o.Port)), o.StoreDir, err)
	}
	return s, nil
}

func (s *Server) ready(fatal <-chan string) error {
	deadline := time.Now().Add(startTimeout)
	for !s.ns.ReadyForConnections(20 * time.Millisecond) {
		select {
		case msg := <-fatal:
			return errors.New(msg)
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready for connections after %s", startTimeout)
		}
	}
	if !s.ns.JetStreamEnabled() {
		return errors.New("jetstream did not come up; see the log before this")
	}
	// Beside other accounts, the one of the streams gets JetStream only when asked.
	if all := s.ns.GlobalAccount(); !all.JetStreamEnabled() {
		if err := all.EnableJetStream(nil, nil); err != nil {
			return fmt.Errorf("enable jetstream: %w", err)
		}
	}
	if s.ns.JetStreamIsClustered() {
		return nil // it answers when enough of the others are there
	}
	return s.answers(deadline)
}

// join makes the server a node of the cluster, if there is one. Clients are not
// told of the other nodes: they go by the addresses they were given.
func (o Options) join(options *server.Options) {
	if o.Cluster.Name == "" {
		return
	}
	options.Cluster = server.ClusterOpts{Name: o.Cluster.Name, Host: o.Host, Port: o.Cluster.Port, NoAdvertise: true}
	for _, node := range o.Cluster.Nodes {
		options.Routes = append(options.Routes, &url.URL{Scheme: "nats", Host: node})
	}
}

// answers waits until JetStream answers: it drops without a word what it is asked
// in its first moment.
func (s *Server) answers(deadline time.Time) error {
	nc, err := nats.Connect(s.ClientURL(), nats.InProcessServer(s.ns), nats.Timeout(startTimeout))
	if err != nil {
		return fmt.Errorf("connect in process: %w", err)
	}
	defer nc.Close()
	for {
		_, err := nc.Request(server.JSApiAccountInfo, nil, askTimeout)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("jetstream does not answer: %w", err)
		}
	}
}

// ClientURL returns the address other processes connect to, with user and password. When
// the server does not listen, only these are of use, to connect in process.
func (s *Server) ClientURL() string { return s.urlOf(s.user) }

// UserURL is [Server.ClientURL] for a user who may do less.
func (s *Server) UserURL(u User) string { return s.urlOf(url.UserPassword(u.Name, u.Password)) }

func (s *Server) urlOf(user *url.Userinfo) string {
	u, err := url.Parse(s.ns.ClientURL())
	if err != nil || user == nil {
		return s.ns.ClientURL()
	}
	u.User = user
	return u.String()
}

// MonitorURL returns the address of the monitoring pages, or "" when there are none.
func (s *Server) MonitorURL() string {
	addr := s.ns.MonitorAddr()
	if addr == nil {
		return ""
	}
	return "http://" + addr.String()
}

// InProcess lets this process connect without a socket. Such connections end
// with the server.
func (s *Server) InProcess() nats.InProcessConnProvider { return s.ns }

// Stop ends the server and waits until it has. Streams on disk are kept.
func (s *Server) Stop() {
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
}
