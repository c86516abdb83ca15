// Package clientkeys has the commands for the API keys that clients bring of their own.
package clientkeys

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gorgone/internal/app"
	"gorgone/internal/cli/tenants"
	"gorgone/internal/failure"
	"gorgone/store/keys"
	"gorgone/twitter"
	"gorgone/web/answers"
)

// Parts are what the commands work with.
type Parts struct {
	Open    func(context.Context) (*app.Database, error)
	Secrets func() string // what GORGONE_KEY_SECRETS says
	By      func() string // who changes a key
	In      io.Reader
	Out     io.Writer
	ErrOut  io.Writer
}

// Command returns the command with all that are below it.
func Command(p Parts) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Show and set the API keys that clients bring of their own",
	}
	cmd.AddCommand(p.list(), p.set(), p.share(), p.remove(), p.reseal())
	return cmd
}

// client returns the only argument as a client's id. What else is there is not repeated: it may
// be a key.
func client(ctx context.Context, d *app.Database, args []string) (uuid.UUID, error) {
	zones, err := d.Store.Zones(ctx)
	if err != nil {
		return uuid.Nil, err
	}
	return tenants.Client(zones, args[0])
}

func oneClient(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return failure.Usagef("want the client's name or id, and nothing else: a key is read from standard input")
	}
	return nil
}

// with opens the database for something, and says of what kind its error is.
func (p *Parts) with(cmd *cobra.Command, do func(ctx context.Context, d *app.Database) error) error {
	d, err := p.Open(cmd.Context())
	if err != nil {
		return err
	}
	defer d.Close()
	err = do(cmd.Context(), d)
	switch {
	case errors.Is(err, keys.ErrClientNotFound), errors.Is(err, keys.ErrNoKey):
		return failure.NotFoundf("%w", err)
	case errors.Is(err, keys.ErrNoSecret):
		return failure.Usagef("%w", err)
	}
	return err
}

// withClient is with for something that is done to a client, which args name.
func (p *Parts) withClient(cmd *cobra.Command, args []string, do func(ctx context.Context, d *app.Database, id uuid.UUID) error) error {
	return p.with(cmd, func(ctx context.Context, d *app.Database) error {
		id, err := client(ctx, d, args)
		if err != nil {
			return err
		}
		return do(ctx, d, id)
	})
}

// did says what was done, or prints it as JSON.
func (p *Parts) did(asJSON bool, what any, format string, args ...any) error {
	if asJSON {
		return json.NewEncoder(p.Out).Encode(what)
	}
	_, err := fmt.Fprintf(p.Out, format+"\n", args...)
	return err
}

// changed is what changes of a client's key print as JSON.
type changed struct {
	Client uuid.UUID `json:"client"`
	Shared *bool     `json:"shared,omitempty"`
}

// jsonFlag adds the flag for programs.
func jsonFlag(cmd *cobra.Command) *bool { return cmd.Flags().Bool("json", false, "print JSON") }

func (p *Parts) sealer() (*keys.Sealer, error) {
	s, err := keys.ParseSecrets(p.Secrets())
	if err == nil {
		err = s.Ready()
	}
	if err != nil {
		return nil, failure.Usagef("GORGONE_KEY_SECRETS: %w", err)
	}
	return s, nil
}

func (p *Parts) list() *cobra.Command {
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys of clients, which are never shown",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.with(cmd, func(ctx context.Context, d *app.Database) error {
				list, err := d.Keys.List(ctx)
				if err != nil {
					return err
				}
				all := answers.ClientKeysOf(list)
				if *asJSON {
					return json.NewEncoder(p.Out).Encode(all)
				}
				if len(all) == 0 {
					_, err := fmt.Fprintln(p.Out, "no client has a key of its own")
					return err
				}
				w := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "client\tname\tprovider\tends\tcalls/s\tshared key\tset\tby\t")
				for _, k := range all {
					ends, rate, shared := "…"+k.Ends, "lowest plan", "not allowed"
					if k.Removed {
						ends = "(removed)"
					}
					if k.Rate > 0 {
						rate = fmt.Sprintf("%g", k.Rate)
					}
					if k.Shared {
						shared = "allowed"
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", k.Client, k.Name, k.Provider, ends, rate, shared, k.SetAt.Format(time.DateTime), k.SetBy)
				}
				return w.Flush()
			})
		},
	}
	asJSON = jsonFlag(cmd)
	return cmd
}

func (p *Parts) set() *cobra.Command {
	set := keys.Setting{}
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "set CLIENT",
		Short: "Set the key of a client, read from standard input",
		Long: `Set the API key that looks the tweets of a client's zones up, in place of the one
before. It is read from standard input, and stored sealed by the first of
GORGONE_KEY_SECRETS; nothing shows it again. All processes use it within a minute.`,
		Example: `  gorgone key set ACME --provider x --rate 10 < key.txt
  gorgone key set ACME --provider twitterapi.io --shared < key.txt`,
		Args: oneClient,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(twitter.Providers(), set.Provider) {
				return failure.Usagef("--provider %q: want one of %s", set.Provider, strings.Join(twitter.Providers(), ", "))
			}
			sealer, err := p.sealer()
			if err != nil {
				return err
			}
			if set.Key, err = p.readKey(); err != nil {
				return err
			}
			set.By = p.By()
			return p.withClient(cmd, args, func(ctx context.Context, d *app.Database, id uuid.UUID) error {
				set.Client = id
				if err := set.Check(); err != nil {
					return failure.Usagef("%w", err)
				}
				k, err := d.Keys.Set(ctx, sealer, set)
				if err != nil {
					return err
				}
				return p.did(*asJSON, answers.ClientKeyOf(k), "client %s is looked up at %s by a key of its own, which ends in …%s", k.Client, k.Provider, k.Ends)
			})
		},
	}
	asJSON = jsonFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&set.Provider, "provider", "", "provider of the key: "+strings.Join(twitter.Providers(), ", "))
	f.Float64Var(&set.Rate, "rate", 0, "calls a second that the key allows, over all replicas; 0: the provider's lowest plan")
	f.BoolVar(&set.Shared, "shared", false, "allow the installation's own key where this one cannot be used")
	return cmd
}

// readKey reads a line, which a terminal does not show.
func (p *Parts) readKey() (string, error) {
	if f, ok := p.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(p.ErrOut, "the key: ")
		key, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(p.ErrOut)
		return strings.TrimSpace(string(key)), err
	}
	line, err := bufio.NewReader(io.LimitReader(p.In, 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the key from standard input: %w", err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", failure.Usagef("there is no key on standard input: gorgone key set CLIENT --provider NAME < FILE")
	}
	return line, nil
}

func (p *Parts) share() *cobra.Command {
	var allowed bool
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "share CLIENT",
		Short: "Say whether the installation's own key may be used for a client",
		Long: `Say whether the installation's own key may look the tweets of a client up while
the client's own cannot, or once that was removed. Where it may not, which is the
default, the tweets wait.`,
		Example: `  gorgone key share ACME
  gorgone key share ACME --allow=false`,
		Args: oneClient,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withClient(cmd, args, func(ctx context.Context, d *app.Database, id uuid.UUID) error {
				if err := d.Keys.Share(ctx, id, allowed); err != nil {
					return err
				}
				return p.did(*asJSON, changed{id, &allowed}, "client %s: the shared key may be used: %v", id, allowed)
			})
		},
	}
	asJSON = jsonFlag(cmd)
	cmd.Flags().BoolVar(&allowed, "allow", true, "whether it may be used")
	return cmd
}

func (p *Parts) remove() *cobra.Command {
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "remove CLIENT",
		Short: "Delete the key of a client",
		Long: `Delete the key of a client. Its tweets are then looked up by the installation's own
key where that is allowed (gorgone key share), and else wait.`,
		Example: `  gorgone key remove ACME`,
		Args:    oneClient,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withClient(cmd, args, func(ctx context.Context, d *app.Database, id uuid.UUID) error {
				if err := d.Keys.Remove(ctx, id); err != nil {
					return err
				}
				return p.did(*asJSON, changed{Client: id}, "the key of client %s is deleted", id)
			})
		},
	}
	asJSON = jsonFlag(cmd)
	return cmd
}

func (p *Parts) reseal() *cobra.Command {
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "reseal",
		Short: "Seal all keys with the first of GORGONE_KEY_SECRETS",
		Long: `Seal all keys with the first of GORGONE_KEY_SECRETS that another one of the list
has sealed. After it the others can go from the list.`,
		Example: `  GORGONE_KEY_SECRETS=NEW,OLD gorgone key reseal`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sealer, err := p.sealer()
			if err != nil {
				return err
			}
			return p.with(cmd, func(ctx context.Context, d *app.Database) error {
				n, err := d.Keys.Reseal(ctx, sealer)
				return errors.Join(p.did(*asJSON, map[string]int{"sealed": n}, "%d keys are resealed", n), err)
			})
		},
	}
	asJSON = jsonFlag(cmd)
	return cmd
}
