// Package budgets has the command that shows and sets what zones and clients may spend.
package budgets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/internal/app"
	"gorgone/internal/cli/tenants"
	"gorgone/internal/failure"
	"gorgone/store"
	"gorgone/store/access"
	"gorgone/store/budget"
	"gorgone/web/answers"
)

// Command returns the command. open opens the database, and by names who sets a budget.
func Command(open func(context.Context) (*app.Database, error), by func() string, out io.Writer) *cobra.Command {
	var (
		caps         budget.Caps
		none, asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "budget [zone|client NAME|ID]",
		Short: "Show and set what zones and clients may spend",
		Long: `Show the zones and clients that have caps or a weight, and what is spent of them;
or set those of one, named by its name or id. What is given replaces all that was set before; --none removes
it. Caps are in dollars, of UTC days and months, and a change is in force within a
minute. Scheduled look-ups leave a tenth of each cap to refreshes.`,
		Example: `  gorgone budget
  gorgone budget zone Elections --day 5 --month 100 --soft-month 80
  gorgone budget client 6f726700-6e65-4000-8000-000000000001 --month 250 --weight 2
  gorgone budget zone 0b0e6ad4-3f0f-4c4b-9b8e-0a4f3f1c2d11 --none`,
		RunE: func(cmd *cobra.Command, args []string) error {
			set := cmd.Flags().Changed("day") || cmd.Flags().Changed("month") || cmd.Flags().Changed("soft-day") ||
				cmd.Flags().Changed("soft-month") || cmd.Flags().Changed("weight")
			switch {
			case len(args) != 0 && (len(args) != 2 || args[0] != "zone" && args[0] != "client"):
				return failure.Usagef("%q: want zone or client, and its name or id", strings.Join(args, " "))
			case len(args) == 0 && (set || none):
				return failure.Usagef("whose budget? Want zone or client, and its name or id")
			case set && none:
				return failure.Usagef("--none removes all that is set: want it alone")
			case len(args) > 0 && !set && !none:
				return failure.Usagef("want at least one of --day, --month, --soft-day, --soft-month and --weight, or --none")
			}
			if err := caps.Check(); err != nil {
				return failure.Usagef("%w", err)
			}
			d, err := open(cmd.Context())
			if err != nil {
				return err
			}
			defer d.Close()
			if len(args) == 0 {
				return list(cmd.Context(), d.Store, out, asJSON)
			}
			id, err := target(cmd.Context(), d.Store, args[0], args[1])
			if err != nil {
				return err
			}
			return change(cmd.Context(), d.Access, args[0], id, caps, by(), out, asJSON)
		},
	}
	f := cmd.Flags()
	f.Float64Var(&caps.Day, "day", 0, "hard cap of a day")
	f.Float64Var(&caps.Month, "month", 0, "hard cap of a month")
	f.Float64Var(&caps.SoftDay, "soft-day", 0, "soft cap of a day: beyond it others are served first")
	f.Float64Var(&caps.SoftMonth, "soft-month", 0, "soft cap of a month")
	f.Float64Var(&caps.Weight, "weight", 0, "for how many equals it counts when not all that is due can be looked up")
	f.BoolVar(&none, "none", false, "remove the caps and the weight")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// target returns the id of the zone or client that is meant.
func target(ctx context.Context, s *store.Store, kind, ref string) (uuid.UUID, error) {
	if id, err := uuid.Parse(ref); err == nil {
		return id, nil
	}
	zones, err := s.Zones(ctx)
	if err != nil {
		return uuid.Nil, err
	}
	if kind == "client" {
		return tenants.Client(zones, ref)
	}
	zone, err := tenants.Zone(zones, ref)
	return zone.ID, err
}

func change(ctx context.Context, s *access.Store, kind string, id uuid.UUID, caps budget.Caps, by string, out io.Writer, asJSON bool) error {
	var err error
	if kind == "zone" {
		err = s.SetZoneBudget(ctx, id, caps)
	} else {
		err = s.SetClientBudget(ctx, id, caps, by)
	}
	switch {
	case errors.Is(err, store.ErrZoneNotFound), errors.Is(err, access.ErrClientNotFound):
		return failure.Usagef("%w", err)
	case err != nil:
		return err
	case asJSON:
		return json.NewEncoder(out).Encode(struct {
			Kind   string      `json:"kind"`
			ID     uuid.UUID   `json:"id"`
			Budget budget.Caps `json:"budget"`
		}{kind, id, caps})
	}
	_, err = fmt.Fprintf(out, "%s %s: %s\n", kind, id, words(caps))
	return err
}

// words says what is set.
func words(c budget.Caps) string {
	var set []string
	for _, f := range []struct {
		value float64
		words string
	}{
		{c.Day, "$%.2f a day"},
		{c.Month, "$%.2f a month"},
		{c.SoftDay, "softly $%.2f a day"},
		{c.SoftMonth, "softly $%.2f a month"},
		{c.Weight, "weight %g"},
	} {
		if f.value > 0 {
			set = append(set, fmt.Sprintf(f.words, f.value))
		}
	}
	if len(set) == 0 {
		return "no caps"
	}
	return strings.Join(set, ", ")
}

func list(ctx context.Context, s *store.Store, out io.Writer, asJSON bool) error {
	states, err := s.Tenants(ctx)
	if err != nil {
		return err
	}
	all := make([]answers.Tenant, len(states))
	for i, t := range states {
		all[i] = answers.TenantOf(t)
	}
	if asJSON {
		return json.NewEncoder(out).Encode(all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "no zone and no client has caps or a weight")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tid\tname\tset\ttoday\tmonth\tunder way\t")
	for _, t := range all {
		note := ""
		switch {
		case t.Fault != "":
			note = "COUNTS FOR NOTHING: " + t.Fault
		case len(t.UsedUp) > 0:
			note = "USED UP: " + strings.Join(t.UsedUp, ", ")
		case len(t.Soft) > 0:
			note = "soft cap passed: " + strings.Join(t.Soft, ", ")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.4f\t%.4f\t%.4f\t%s\n", t.Kind, t.ID, t.Name, words(t.Budget), t.Today, t.Month, t.Committed, note)
	}
	return w.Flush()
}
