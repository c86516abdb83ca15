package setup

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/twitter"
)

// Questions are the settings, with what the environment has of them.
func Questions(c config.Config) []Setting {
	rate := ""
	if c.Provider.Rate > 0 {
		rate = strconv.FormatFloat(c.Provider.Rate, 'g', -1, 64)
	}
	provider := ""
	if c.Provider.Key != "" { // the key's, and so chosen
		provider = c.Provider.Name
	}
	return []Setting{
		{Name: "DATABASE_URL", Value: string(c.Database.URL), Secret: true, Question: "Postgres (postgres://user:password@host:5432/database)"}, //nolint:gosec // the form, not a password
		{Name: "GORGONE_MIGRATE_URL", Value: string(c.Database.MigrateURL), Secret: true, Optional: true, Question: "Postgres as the tables' owner, for migrations, if it is another"},
		{Name: "NATS_URL", Value: string(c.Queue.URL), Secret: true, Question: "NATS with JetStream (nats://user:password@host:4222)"},
		{Name: "TWITTER_PROVIDER", Value: provider, Default: c.Provider.Name, Question: "Provider: twitterapi.io, x or socialdata", Check: checkProvider},
		{Name: "TWITTER_API_KEY", Value: string(c.Provider.Key), Secret: true, Question: "The provider's key"},
		{Name: "TWITTER_RATE", Value: rate, Default: "0", Question: "Calls a second that your plan allows; 0: the lowest plan", Check: checkRate},
		{Name: "QSTASH_TOKEN", Value: string(c.QStash.Token), Secret: true, Optional: true, Question: "QStash token, if QStash is to trigger dispatches"},
		{Name: "GORGONE_WEB_PUBLIC_URL", Value: c.Web.PublicURL, Optional: true, Question: "Public https address of gorgone web, for QStash"},
	}
}

// Apply makes the settings those of the configuration, and checks it.
func Apply(settings []Setting, c *config.Config) error {
	for _, s := range settings {
		switch s.Name {
		case "DATABASE_URL":
			c.Database.URL = config.Secret(s.Value)
		case "GORGONE_MIGRATE_URL":
			c.Database.MigrateURL = config.Secret(s.Value)
		case "NATS_URL":
			c.Queue.URL = config.Secret(s.Value)
		case "TWITTER_PROVIDER":
			c.Provider.Name = s.Value
		case "TWITTER_API_KEY":
			c.Provider.Key = config.Secret(s.Value)
		case "TWITTER_RATE":
			rate, err := strconv.ParseFloat(s.Value, 64)
			if err != nil {
				return failure.Usagef("TWITTER_RATE is not a number")
			}
			c.Provider.Rate = rate
		case "QSTASH_TOKEN":
			c.QStash.Token = config.Secret(s.Value)
		case "GORGONE_WEB_PUBLIC_URL":
			c.Web.PublicURL = s.Value
		default:
			return fmt.Errorf("no setting is called %s", s.Name)
		}
	}
	return c.Check()
}

func checkProvider(answer string) error {
	if names := []string{twitter.TwitterAPIName, twitter.XAPIName, twitter.SocialDataName}; !slices.Contains(names, answer) {
		return errors.New("choose " + strings.Join(names, ", "))
	}
	return nil
}

func checkRate(answer string) error {
	if rate, err := strconv.ParseFloat(answer, 64); err != nil || !(rate >= 0) {
		return errors.New("write a number, such as 20 or 0.2")
	}
	return nil
}
