package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/internal/clock"
	"gorgone/internal/failure"
	"gorgone/store"
	"gorgone/store/report"
	"gorgone/web/answers"
)

// daysAMonth is the length of a month in projections.
const daysAMonth = 30

func newCost(sh *shell) *cobra.Command {
	var days, volume int
	var byZone, asJSON bool
	cmd := &cobra.Command{
		Use:   "cost",
		Short: "Show the cost of look-ups, and project it for a volume",
		Long: `Show calls, tweets billed, credits and dollars by day or by zone, with refreshes
listed separately; how they compare with the provider's own balance; what is left
of the budgets; and what the adaptive schedule would buy for half and for double
the money.

With --volume, project the cost of that many new tweets a day. The number of
look-ups a tweet is measured on tweets that were tracked from within half an hour
of their post until they went cold or, while there are fewer than 100 of them,
taken from GORGONE_TIERS.

The cost of a call for tweets of several zones is split among them. Calls whose
answer was lost may be billed without being listed; the balance shows them.`,
		Example: `  gorgone cost
  gorgone cost --days 7 --by-zone
  gorgone cost --volume 100000`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if days < 1 || days > 3660 {
				return failure.Usagef("--days %d: want 1 to 3660", days)
			}
			if volume < 0 || volume > 1_000_000_000 {
				return failure.Usagef("--volume %d: want tweets a day, up to 1,000,000,000", volume)
			}
			c, err := sh.readCost(cmd.Context(), days, volume)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(sh.out).Encode(c)
			}
			c.print(sh.out, byZone)
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&days, "days", 30, "number of UTC days, today included")
	f.BoolVar(&byZone, "by-zone", false, "print a line per zone instead of per day")
	f.IntVar(&volume, "volume", 0, "project the cost of this many new tweets a day")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// expense is a line of the table, or the sum of some.
type expense struct {
	answers.Sum

	Refresh float64 `json:"refresh_cost"` // of Cost, for refreshes
}

func (e *expense) add(x store.Expense) {
	e.Add(x)
	if x.Refresh {
		e.Refresh = answers.Rounded(e.Refresh + x.Dollars)
	}
}

// dayCost is what a day cost.
type dayCost struct {
	Day string `json:"day"` // as 2026-11-24
	expense
}

// zoneCost is what a zone cost.
type zoneCost struct {
	ID   uuid.UUID `json:"id"` // zero: of no zone
	Name string    `json:"name"`
	expense
}

// cost is all that the command shows, as JSON shows it.
type cost struct {
	From         time.Time         `json:"from"`
	To           time.Time         `json:"to"`
	Total        expense           `json:"total"`
	Days         []*dayCost        `json:"days"`            // the oldest first
	Zones        []*zoneCost       `json:"zones"`           // by name
	Kinds        []answers.Kind    `json:"kinds"`           // by provider and kind
	WholeDays    int               `json:"whole_days"`      // UTC days that are over, after that of the first spending
	PerDay       float64           `json:"dollars_per_day"` // on average of these; 0: there is none
	Tracked      int               `json:"tracked"`
	Whole        int               `json:"tweets_of_whole_life"` // tracked within half an hour of their post, and gone cold
	PerTweet     float64           `json:"looks_per_tweet"`      // of these
	Today        float64           `json:"cost_today"`           // by the schedule
	Month        float64           `json:"cost_month"`
	RefreshToday float64           `json:"refresh_cost_today"`
	RefreshMonth float64           `json:"refresh_cost_month"`
	MonthEnd     float64           `json:"month_end"` // refreshes included, if the days go on as the last week's
	Limits       []answers.Budget  `json:"limits"`
	Balances     []answers.Balance `json:"balances"`
	Purchases    answers.Purchases `json:"purchases"`
	MostLooks    float64           `json:"most_looks_per_hour,omitempty"` // that the rate of the key allows
	Projected    *projection       `json:"projected,omitempty"`

	spent      store.Spending
	reconciled []report.Reconciliation
	purchases  store.Purchases
}

// projection is what a volume would cost.
type projection struct {
	TweetsPerDay  int     `json:"tweets_per_day"`
	LooksPerTweet float64 `json:"looks_per_tweet"`
	Measured      bool    `json:"measured"` // else by the schedule
	CallsPerDay   float64 `json:"calls_per_day"`
	CallsPerSec   float64 `json:"calls_per_second"` // on average
	DollarsPerDay float64 `json:"dollars_per_day"`
	DollarsAMonth float64 `json:"dollars_per_month"`
}

func (sh *shell) readCost(ctx context.Context, days, volume int) (*cost, error) {
	d, err := sh.openDatabase(ctx)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	now := d.Clock.Now()
	c := &cost{From: now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-days), To: now}
	list, err := d.Store.Expenses(ctx, c.From, now)
	if err != nil {
		return nil, err
	}
	zones, err := d.Store.Zones(ctx)
	if err != nil {
		return nil, err
	}
	c.gather(list, zones)
	v, err := d.Report.Volume(ctx, c.From, now)
	if err != nil {
		return nil, err
	}
	c.Tracked, c.Whole, c.PerTweet = v.Tracked, v.ColdAfter, answers.Rounded(v.PerTweet)
	if c.spent, err = d.Store.Spending(ctx); err != nil {
		return nil, err
	}
	if c.reconciled, err = d.Report.Reconcile(ctx, c.From); err != nil {
		return nil, err
	}
	if c.purchases, err = d.Store.Purchases(ctx); err != nil {
		return nil, err
	}
	s := c.spent
	c.Today, c.Month = answers.Rounded(s.Today), answers.Rounded(s.Month)
	c.RefreshToday, c.RefreshMonth = answers.Rounded(s.RefreshToday), answers.Rounded(s.RefreshMonth)
	c.Limits, c.Purchases = answers.BudgetsOf(s, true), answers.PurchasesOf(c.purchases)
	c.Balances = make([]answers.Balance, len(c.reconciled))
	for i, b := range c.reconciled {
		c.Balances[i] = answers.BalanceOf(b)
	}
	c.MostLooks = answers.Rounded(sh.mostLooks(d.Clock))
	if volume > 0 {
		c.Projected = sh.project(c, volume)
	}
	return c, nil
}

func (c *cost) gather(list []store.Expense, zones []store.Zone) {
	c.MonthEnd = answers.MonthEnd(list, c.To)
	names := map[uuid.UUID]string{uuid.Nil: "(none)"}
	for _, z := range zones {
		names[z.ID] = z.Name
	}
	c.Kinds = answers.KindsOf(list)
	byDay, byZone := make(map[string]*dayCost), make(map[uuid.UUID]*zoneCost)
	for _, x := range list {
		day := x.Day.Format(time.DateOnly)
		if byDay[day] == nil {
			byDay[day] = &dayCost{Day: day}
		}
		if byZone[x.Zone] == nil {
			byZone[x.Zone] = &zoneCost{ID: x.Zone, Name: cmp.Or(names[x.Zone], x.Zone.String())} // a deleted one has its id only
		}
		for _, e := range []*expense{&c.Total, &byDay[day].expense, &byZone[x.Zone].expense} {
			e.add(x)
		}
	}
	c.Days = slices.AppendSeq([]*dayCost{}, maps.Values(byDay))
	slices.SortFunc(c.Days, func(a, b *dayCost) int { return cmp.Compare(a.Day, b.Day) })
	c.Zones = slices.AppendSeq([]*zoneCost{}, maps.Values(byZone))
	slices.SortFunc(c.Zones, func(a, b *zoneCost) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	if len(list) == 0 {
		return
	}
	// Neither the day of the first spending nor today is a whole one.
	today := c.To.UTC().Truncate(24 * time.Hour)
	first := list[0].Day.UTC().AddDate(0, 0, 1)
	for day := first; day.Before(today); day = day.AddDate(0, 0, 1) {
		c.WholeDays++
		if e := byDay[day.Format(time.DateOnly)]; e != nil {
			c.PerDay += e.Cost
		}
	}
	if c.WholeDays > 0 {
		c.PerDay = answers.Rounded(c.PerDay / float64(c.WholeDays))
	}
}

// enoughLives is how many tweets must have been tracked all their life for their
// look-ups to be the measure.
const enoughLives = 100

// project computes what a volume would cost, from the look-ups that tweets got if
// enough of them have got all of theirs.
func (sh *shell) project(c *cost, volume int) *projection {
	p := &projection{TweetsPerDay: volume, LooksPerTweet: c.PerTweet, Measured: c.Whole >= enoughLives}
	if !p.Measured {
		p.LooksPerTweet = looksOf(sh.cfg.Schedule.Tiers)
	}
	perCall := 50.0
	if c.Total.Calls > 0 && c.Total.Tweets > c.Total.Calls {
		perCall = c.Total.Tweets / c.Total.Calls
	}
	looks := float64(volume) * p.LooksPerTweet
	prices := app.Prices(sh.cfg)
	p.CallsPerDay = answers.Rounded(looks / perCall)
	p.CallsPerSec = answers.Rounded(p.CallsPerDay / (24 * time.Hour).Seconds())
	p.DollarsPerDay = answers.Rounded(looks * prices[sh.cfg.Provider.Name].Dollars)
	p.DollarsAMonth = answers.Rounded(p.DollarsPerDay * daysAMonth)
	return p
}

// looksOf is how many looks a tweet gets in its life on tiers.
func looksOf(steps []engagement.Step) (looks float64) {
	var began time.Duration
	for _, s := range steps {
		looks += float64((s.Until - began + s.Every - 1) / s.Every)
		began = s.Until
	}
	return looks
}

func (c *cost) print(out io.Writer, byZone bool) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, e expense) {
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.0f\t%.4f\t%.4f\t\n", name, e.Calls, e.Tweets, e.Credits, e.Cost, e.Refresh)
	}
	if byZone {
		fmt.Fprint(w, "zone")
	} else {
		fmt.Fprint(w, "day (UTC)")
	}
	fmt.Fprint(w, "\tcalls\ttweets billed\tcredits\tdollars\tof it refreshes\t\n")
	for _, z := range c.Zones {
		if byZone {
			line(z.Name, z.expense)
		}
	}
	for _, d := range c.Days {
		if !byZone {
			line(d.Day, d.expense)
		}
	}
	line("all", c.Total)
	for _, k := range c.Kinds {
		fmt.Fprintf(w, "%s, %s\t%.0f\t%.0f\t%.0f\t%.4f\t\t\n", k.Provider, k.Kind, k.Calls, k.Tweets, k.Credits, k.Cost)
	}
	_ = w.Flush()

	fmt.Fprintf(out, "\n%d tweets tracked; %d of them from within half an hour of their post until they went cold", c.Tracked, c.Whole)
	if c.Whole > 0 {
		fmt.Fprintf(out, ", with %.1f looks each", c.PerTweet)
	}
	fmt.Fprintln(out)
	if c.WholeDays > 0 {
		fmt.Fprintf(out, "%.4f dollars a day, on average of %d whole days; that is %.2f a month of %d days\n", c.PerDay, c.WholeDays, c.PerDay*daysAMonth, daysAMonth)
	} else {
		fmt.Fprintln(out, "no whole day (UTC) between the first spending and today yet: what a day costs is not known")
	}
	fmt.Fprintf(out, "%.2f dollars by the end of this month (UTC), if the days go on as those of the last week\n", c.MonthEnd)
	c.printBudget(out)
	for _, b := range c.reconciled {
		if b.Endless() {
			continue
		}
		fmt.Fprintf(out, "%s: %.0f credits left at %s", b.Provider, b.Left, b.To.Format(time.DateTime))
		if b.Taken > 0 {
			fmt.Fprintf(out, "; taken %.0f, in the ledger %.0f since %s (%.1f%% more taken)", b.Taken, b.Booked, b.From.Format(time.DateTime), b.Drift()*100)
		}
		fmt.Fprintln(out)
	}
	printPurchases(out, c.purchases, c.MostLooks)
	if p := c.Projected; p != nil {
		by := "by the schedule"
		if p.Measured {
			by = fmt.Sprintf("as measured over %d tweets", c.Whole)
		}
		fmt.Fprintf(out, "%d new tweets a day, %.1f looks each (%s): %.0f calls a day (%.2f a second), %.2f dollars a day, %.2f a month\n",
			p.TweetsPerDay, p.LooksPerTweet, by, p.CallsPerDay, p.CallsPerSec, p.DollarsPerDay, p.DollarsAMonth)
	}
}

func (c *cost) printBudget(out io.Writer) {
	s := c.spent
	for _, b := range []struct {
		name          string
		spent, budget float64
	}{
		{"today", s.Today, s.Budget.Day}, {"this month", s.Month, s.Budget.Month}, {"refreshes today", s.RefreshToday, s.Budget.RefreshDay},
	} {
		if b.budget > 0 {
			fmt.Fprintf(out, "budget, %s: %.4f of %.2f dollars (%.0f%%)\n", b.name, b.spent, b.budget, b.spent/b.budget*100)
		}
	}
	for _, notice := range noticesOf(s) {
		fmt.Fprintf(out, "USED UP: %s\n", notice)
	}
}

// noticesOf says of each budget that is used up when the next one begins.
func noticesOf(s store.Spending) (notices []string) {
	for _, l := range s.Limits() {
		if notice := l.Notice(); notice != "" {
			notices = append(notices, notice)
		}
	}
	return notices
}

// mostLooks is how many tweets an hour of the engine's time can be looked up at the
// provider's rate; 0: it is not known, or there is no end.
func (sh *shell) mostLooks(c *clock.Clock) float64 {
	providers, err := sh.process.OpenProviders(sh.cfg.Provider, c.Now)
	if err != nil {
		return 0
	}
	return providers[0].TweetRate() * c.Real(time.Hour).Seconds()
}

// printPurchases says what the adaptive schedule costs, and what other money would
// buy, and when that is more looks an hour than the rate allows.
func printPurchases(out io.Writer, p store.Purchases, most float64) {
	if p.Now.Price == 0 {
		return
	}
	for _, b := range []struct {
		name string
		p    store.Purchase
	}{{"adaptive, now", p.Now}, {"half the looks", p.Half}, {"double", p.Double}} {
		if b.p.Price == 0 {
			continue // the sample does not tell
		}
		beyond := ""
		if most > 0 && b.p.LookupsPerHour > most {
			beyond = fmt.Sprintf("; beyond the rate of the key, which allows %.0f an hour", most)
		}
		fmt.Fprintf(out, "%s: %.0f looks an hour, %.2f dollars a day, an engagement seen after %s on average (price %.3g%s)\n",
			b.name, b.p.LookupsPerHour, b.p.DollarsPerDay, b.p.Delay.Round(time.Second), b.p.Price, beyond)
	}
}
