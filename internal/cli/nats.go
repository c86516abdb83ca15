package cli

import (
	"context"

	"github.com/spf13/cobra"

	"gorgone/internal/natsserver"
)

// newNATS runs the embedded NATS server in a process of its own, which the drill
// can kill. Who runs NATS in earnest runs nats-server.
func newNATS(sh *shell) *cobra.Command {
	var o natsserver.Options
	cmd := &cobra.Command{
		Use:    "nats",
		Short:  "Run the embedded NATS server alone",
		Hidden: true,
		Args:   exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Log, o.SyncAlways = sh.log, true
			return serveNATS(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.StoreDir, "store", "", "folder of the streams")
	f.StringVar(&o.ServerName, "name", "", "name of the server")
	f.StringVar(&o.Host, "host", "", "address to listen on (default 127.0.0.1)")
	f.IntVar(&o.Port, "port", -1, "port to listen on (-1: any)")
	f.IntVar(&o.HTTPPort, "http-port", 0, "port of the monitoring pages (0: none, -1: any)")
	f.StringVar(&o.Cluster.Name, "cluster", "", "name of the cluster that it is part of")
	f.IntVar(&o.Cluster.Port, "cluster-port", 0, "port on which it listens to the cluster's other nodes")
	f.StringSliceVar(&o.Cluster.Nodes, "cluster-nodes", nil, "host and port of all nodes, there")
	return cmd
}

func serveNATS(ctx context.Context, o natsserver.Options) error {
	server, err := natsserver.Start(o)
	if err != nil {
		return err
	}
	o.Log.Info().Str("url", server.ClientURL()).Msg("nats started")
	<-ctx.Done()
	server.Stop()
	return nil
}
