package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/internal/clock"
	"gorgone/internal/failure"
	"gorgone/store"
	"gorgone/store/purchase"
	"gorgone/store/report"
	"gorgone/web/answers"
)

// daysAMonth is the length of a month in projections.
const daysAMonth = 30

func newCost(sh *shell) *cobra.Command {
	var days, volume int
	var byZone, byClient, asJSON bool
	cmd := &cobra.Command{
		Use:   "cost",
		Short: "Show the cost of look-ups, and project it for a volume",
		Long: `Show calls, tweets billed, credits and dollars by day, zone or client, and by
provider and kind: schedule, refresh, control (calls that tell whether answers can
be believed) and retry; how they compare with the provider's own balance; what is left
of the budgets; and what the adaptive schedule would buy for half and for double
the money.

With --volume, project the cost of that many new tweets a day. The number of
look-ups a tweet is measured on tweets that were tracked from within half an hour
of their post until they went cold or, while there are fewer than 100 of them,
taken from GORGONE_TIERS. Where the provider charges for a tweet once a UTC day (X),
the days on which it is looked up are counted instead.

The cost of a call for tweets of several zones is split among them. Calls whose
answer was lost may be billed without being listed; the balance shows them.`,
		Example: `  gorgone cost
  gorgone cost --days 7 --by-zone
  gorgone cost --by-client --json
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
			switch {
			case byZone:
				c.print(sh.out, "zone", partLines(c.Zones))
			case byClient:
				c.print(sh.out, "client", partLines(c.Clients))
			default:
				c.print(sh.out, "day (UTC)", c.dayLines())
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&days, "days", 30, "number of UTC days, today included")
	f.BoolVar(&byZone, "by-zone", false, "print a line per zone instead of per day")
	f.BoolVar(&byClient, "by-client", false, "print a line per client instead of per day")
	cmd.MarkFlagsMutuallyExclusive("by-zone", "by-client")
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

// partCost is what a zone or a client cost.
type partCost struct {
	ID   uuid.UUID `json:"id"` // zero: of none
	Name string    `json:"name"`
	expense
}

// cost is all that the command shows, as JSON shows it.
type cost struct {
	From         time.Time         `json:"from"`
	To           time.Time         `json:"to"`
	Total        expense           `json:"total"`
	Days         []*dayCost        `json:"days"`            // the oldest first
	Zones        []*partCost       `json:"zones"`           // by name
	Clients      []*partCost       `json:"clients"`         // by name
	Kinds        []answers.Kind    `json:"kinds"`           // by provider and kind
	WholeDays    int               `json:"whole_days"`      // UTC days that are over, after that of the first spending
	PerDay       float64           `json:"dollars_per_day"` // on average of these; 0: there is none
	Tracked      int               `json:"tracked"`
	Whole        int               `json:"tweets_of_whole_life"`     // tracked within half an hour of their post, and gone cold
	PerTweet     float64           `json:"looks_per_tweet"`          // of these
	DaysPerTweet float64           `json:"days_per_tweet,omitempty"` // UTC days with a look, where those are paid for
	Today        float64           `json:"cost_today"`               // by the schedule
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
	purchases  purchase.Choices
}

// projection is what a volume would cost.
type projection struct {
	TweetsPerDay  int     `json:"tweets_per_day"`
	LooksPerTweet float64 `json:"looks_per_tweet"`
	DaysPerTweet  float64 `json:"days_per_tweet,omitempty"` // UTC days with a look, where those are paid for
	Measured      bool    `json:"measured"`                 // else by the schedule
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
	if app.Price(sh.cfg).DayPass {
		days, err := d.Report.DaysPerTweet(ctx, c.From, now)
		if err != nil {
			return nil, err
		}
		c.DaysPerTweet = answers.Rounded(days)
	}
	if volume > 0 {
		c.Projected = sh.project(c, volume)
	}
	return c, nil
}

func (c *cost) gather(list []store.Expense, zones []store.Zone) {
	c.MonthEnd = answers.MonthEnd(list, c.To)
	names := map[uuid.UUID]string{uuid.Nil: "(none)"}
	clientOf := make(map[uuid.UUID]uuid.UUID, len(zones))
	for _, z := range zones {
		names[z.ID], names[z.ClientID], clientOf[z.ID] = z.Name, z.ClientName, z.ClientID
	}
	c.Kinds = answers.KindsOf(list)
	c.Zones = partsOf(list, names, func(x store.Expense) uuid.UUID { return x.Zone })
	c.Clients = partsOf(list, names, func(x store.Expense) uuid.UUID { return answers.ClientOf(x, clientOf) })
	byDay := make(map[string]*dayCost)
	for _, x := range list {
		day := x.Day.Format(time.DateOnly)
		if byDay[day] == nil {
			byDay[day] = &dayCost{Day: day}
		}
		c.Total.add(x)
		byDay[day].add(x)
	}
	c.Days = slices.AppendSeq([]*dayCost{}, maps.Values(byDay))
	slices.SortFunc(c.Days, func(a, b *dayCost) int { return cmp.Compare(a.Day, b.Day) })
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

// partsOf adds expenses up by who they were for.
func partsOf(list []store.Expense, names map[uuid.UUID]string, of func(store.Expense) uuid.UUID) []*partCost {
	parts := make(map[uuid.UUID]*partCost)
	for _, x := range list {
		id := of(x)
		if parts[id] == nil {
			parts[id] = &partCost{ID: id, Name: cmp.Or(names[id], id.String())} // a deleted one has its id only
		}
		parts[id].add(x)
	}
	all := slices.AppendSeq([]*partCost{}, maps.Values(parts))
	slices.SortFunc(all, func(a, b *partCost) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return all
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
	looks := float64(volume) * p.LooksPerTweet
	paid, perCall, price := looks, 50.0, app.Price(sh.cfg)
	switch {
	case price.DayPass: // how many tweets were billed does not tell how many were asked for
		if p.DaysPerTweet = c.DaysPerTweet; !p.Measured {
			p.DaysPerTweet = answers.Rounded(daysOf(sh.cfg.Schedule.Tiers))
		}
		paid = float64(volume) * p.DaysPerTweet
	case c.Total.Calls > 0 && c.Total.Tweets > c.Total.Calls:
		perCall = c.Total.Tweets / c.Total.Calls
	}
	p.CallsPerDay = answers.Rounded(looks / perCall)
	p.CallsPerSec = answers.Rounded(p.CallsPerDay / (24 * time.Hour).Seconds())
	p.DollarsPerDay = answers.Rounded(paid * price.Dollars)
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

// daysOf is on how many UTC days a tweet that is posted at any hour is looked up on tiers: on
// its first, and on another for each midnight between the first look and the last.
func daysOf(steps []engagement.Step) float64 {
	return 1 + (steps[len(steps)-1].Until-steps[0].Every).Hours()/24
}

// mostLooks is how many tweets an hour of the engine's time can be looked up at the
// provider's rate; 0: it is not known, or there is no end.
func (sh *shell) mostLooks(c *clock.Clock) float64 {
	providers, err := sh.process.OpenProviders(app.InOrder(sh.cfg), c.Now)
	if err != nil {
		return 0
	}
	return providers[0].TweetRate() * c.Real(time.Hour).Seconds()
}
