package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/store"
)

// daysAMonth is what a month's cost is reckoned with.
const daysAMonth = 30

func newCost(a *app) *cobra.Command {
	var days, volume int
	var byZone, asJSON bool
	cmd := &cobra.Command{
		Use:   "cost",
		Short: "Show what look-ups cost, and what a given volume would",
		Long: `Show what was looked up, by day or by zone: calls, tweets billed, credits and
dollars, refreshes apart; how that compares with the provider's own balance; what
is left of the budgets; and what the adaptive schedule would buy for half and for
double the money.

With --volume it reckons what so many new tweets a day would cost: with the looks of
tweets that were followed from within half an hour of their post until they went
cold or, while these are fewer than 100, with those of GORGONE_TIERS.

A call that serves tweets of several zones is shared among them. Calls whose
answer was lost may be billed and are not in it: the balance tells.`,
		Example: `  gorgone cost
  gorgone cost --days 7 --by-zone
  gorgone cost --volume 100000`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if days < 1 || days > 3660 {
				return usageError("--days %d: want 1 to 3660", days)
			}
			if volume < 0 || volume > 1_000_000_000 {
				return usageError("--volume %d: want tweets a day, up to 1,000,000,000", volume)
			}
			c, err := a.readCost(cmd.Context(), days, volume)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(a.out).Encode(c)
			}
			c.print(a.out, byZone)
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&days, "days", 30, "UTC days up to and with today")
	f.BoolVar(&byZone, "by-zone", false, "a line a zone rather than a day")
	f.IntVar(&volume, "volume", 0, "reckon the cost of so many new tweets a day")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// expense is a line of the table, or the sum of some.
type expense struct {
	Calls   float64 `json:"calls"`
	Tweets  float64 `json:"tweets_billed"`
	Credits float64 `json:"credits"`
	Dollars float64 `json:"dollars"`
	Refresh float64 `json:"refresh_dollars"` // of Dollars, for refreshes
}

func (e *expense) add(x store.Expense) {
	e.Calls += x.Calls
	e.Tweets += x.Tweets
	e.Credits += x.Credits
	e.Dollars += x.Dollars
	if x.Refresh {
		e.Refresh += x.Dollars
	}
}

// cost is all that the command shows, as JSON shows it.
type cost struct {
	From      time.Time              `json:"from"`
	To        time.Time              `json:"to"`
	Total     expense                `json:"total"`
	ByDay     map[string]*expense    `json:"by_day"`
	ByZone    map[string]*expense    `json:"by_zone"`             // by name
	WholeDays int                    `json:"whole_days"`          // UTC days that are over, after that of the first spending
	PerDay    float64                `json:"dollars_a_whole_day"` // on average of these; 0: there is none
	Tracked   int                    `json:"tweets_tracked"`
	Whole     int                    `json:"tweets_of_whole_life"` // tracked within half an hour of their post, and gone cold
	PerTweet  float64                `json:"updates_per_tweet"`    // of these
	Spent     store.Spent            `json:"spent"`
	Balances  []store.Reconciliation `json:"balances"`
	Purchases store.Purchases        `json:"purchases"`
	MostLooks float64                `json:"most_looks_per_hour,omitempty"` // that the rate of the key allows
	Projected *projection            `json:"projected,omitempty"`
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

func (a *app) readCost(ctx context.Context, days, volume int) (*cost, error) {
	var open resources
	defer open.close()
	d, err := a.findDatabase(ctx, "cost", &open)
	if err != nil {
		return nil, err
	}
	now := d.clock.Now()
	c := &cost{From: now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-days), To: now, ByDay: map[string]*expense{}, ByZone: map[string]*expense{}}
	list, err := d.store.Expenses(ctx, c.From, now)
	if err != nil {
		return nil, err
	}
	zones, err := d.store.Zones(ctx)
	if err != nil {
		return nil, err
	}
	c.gather(list, zones)
	v, err := d.store.Volume(ctx, c.From, now)
	if err != nil {
		return nil, err
	}
	c.Tracked, c.Whole, c.PerTweet = v.Tracked, v.ColdAfter, rounded(v.PerTweet)
	if c.Spent, err = d.store.Spent(ctx); err != nil {
		return nil, err
	}
	if c.Balances, err = d.store.Reconcile(ctx, c.From); err != nil {
		return nil, err
	}
	if c.Purchases, err = d.store.Purchases(ctx); err != nil {
		return nil, err
	}
	c.tidy()
	c.MostLooks = rounded(a.mostLooks(d.clock))
	if volume > 0 {
		c.Projected = a.project(c, volume)
	}
	return c, nil
}

func (c *cost) gather(list []store.Expense, zones []store.Zone) {
	names := map[uuid.UUID]string{uuid.Nil: "(none)"}
	for _, z := range zones {
		names[z.ID] = z.Name
	}
	for _, x := range list {
		day, zone := x.Day.Format(time.DateOnly), names[x.Zone]
		if zone == "" {
			zone = x.Zone.String() // it was deleted
		}
		if c.ByDay[day] == nil {
			c.ByDay[day] = new(expense)
		}
		if c.ByZone[zone] == nil {
			c.ByZone[zone] = new(expense)
		}
		for _, e := range []*expense{&c.Total, c.ByDay[day], c.ByZone[zone]} {
			e.add(x)
		}
	}
	for _, e := range slices.Concat(slices.Collect(maps.Values(c.ByDay)), slices.Collect(maps.Values(c.ByZone)), []*expense{&c.Total}) {
		e.Calls, e.Tweets, e.Credits, e.Dollars, e.Refresh = rounded(e.Calls), rounded(e.Tweets), rounded(e.Credits), rounded(e.Dollars), rounded(e.Refresh)
	}
	if len(list) == 0 {
		return
	}
	// Neither the day of the first spending nor today is a whole one.
	today := c.To.UTC().Truncate(24 * time.Hour)
	first := list[0].Day.UTC().AddDate(0, 0, 1)
	for day := first; day.Before(today); day = day.AddDate(0, 0, 1) {
		c.WholeDays++
		if e := c.ByDay[day.Format(time.DateOnly)]; e != nil {
			c.PerDay += e.Dollars
		}
	}
	if c.WholeDays > 0 {
		c.PerDay = rounded(c.PerDay / float64(c.WholeDays))
	}
}

// tidy rounds what the store reckoned.
func (c *cost) tidy() {
	values := []*float64{&c.Spent.Today, &c.Spent.Month, &c.Spent.RefreshToday, &c.Spent.RefreshMonth}
	for i := range c.Balances {
		b := &c.Balances[i]
		values = append(values, &b.Left, &b.Taken, &b.Added, &b.Booked)
	}
	for _, p := range []*store.Purchase{&c.Purchases.Now, &c.Purchases.Half, &c.Purchases.Double} {
		values = append(values, &p.Price, &p.LooksPerHour, &p.DollarsPerDay)
	}
	for _, v := range values {
		*v = rounded(*v)
	}
}

// rounded takes away what floating point leaves behind the sixth digit: shares of a
// call among zones add up to a whole again.
func rounded(x float64) float64 { return math.Round(x*1e6) / 1e6 }

// enoughLives is how many tweets must have been followed for all their life for
// their looks to be reckoned with.
const enoughLives = 100

// project reckons with the looks that tweets got, if enough have got all of theirs.
func (a *app) project(c *cost, volume int) *projection {
	p := &projection{TweetsPerDay: volume, LooksPerTweet: c.PerTweet, Measured: c.Whole >= enoughLives}
	if !p.Measured {
		p.LooksPerTweet = looksOf(a.cfg.Schedule.Tiers)
	}
	perCall := 50.0
	if c.Total.Calls > 0 && c.Total.Tweets > c.Total.Calls {
		perCall = c.Total.Tweets / c.Total.Calls
	}
	looks := float64(volume) * p.LooksPerTweet
	prices := a.storeOptions(nil).Prices
	p.CallsPerDay = rounded(looks / perCall)
	p.CallsPerSec = rounded(p.CallsPerDay / (24 * time.Hour).Seconds())
	p.DollarsPerDay = rounded(looks * prices[a.cfg.Provider.Name].Dollars)
	p.DollarsAMonth = rounded(p.DollarsPerDay * daysAMonth)
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
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.0f\t%.4f\t%.4f\t\n", name, e.Calls, e.Tweets, e.Credits, e.Dollars, e.Refresh)
	}
	head, lines := "day (UTC)", c.ByDay
	if byZone {
		head, lines = "zone", c.ByZone
	}
	fmt.Fprintf(w, "%s\tcalls\ttweets billed\tcredits\tdollars\tof it refreshes\t\n", head)
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		line(name, *lines[name])
	}
	line("all", c.Total)
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
	c.printBudget(out)
	for _, b := range c.Balances {
		if b.Endless() {
			continue
		}
		fmt.Fprintf(out, "%s: %.0f credits left at %s", b.Provider, b.Left, b.To.Format(time.DateTime))
		if b.Taken > 0 {
			fmt.Fprintf(out, "; taken %.0f, in the ledger %.0f since %s (%.1f%% more taken)", b.Taken, b.Booked, b.From.Format(time.DateTime), b.Drift()*100)
		}
		fmt.Fprintln(out)
	}
	printPurchases(out, c.Purchases, c.MostLooks)
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
	s := c.Spent
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
}

// mostLooks is how many tweets an hour of the engine's time can be looked up at the
// provider's rate; 0: it is not known, or there is no end.
func (a *app) mostLooks(c *clock.Clock) float64 {
	p, err := a.openProvider(a.cfg.Provider, c.Now)
	if err != nil {
		return 0
	}
	return p.tweetRate() * c.Real(time.Hour).Seconds()
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
		beyond := ""
		if most > 0 && b.p.LooksPerHour > most {
			beyond = fmt.Sprintf("; beyond the rate of the key, which allows %.0f an hour", most)
		}
		fmt.Fprintf(out, "%s: %.0f looks an hour, %.2f dollars a day, an engagement seen after %s on average (price %.3g%s)\n",
			b.name, b.p.LooksPerHour, b.p.DollarsPerDay, b.p.Delay.Round(time.Second), b.p.Price, beyond)
	}
}
