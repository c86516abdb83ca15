-- Of what somebody wants to be told, what happened, and who is still to be told.

-- +goose Up
CREATE TABLE IF NOT EXISTS gorgone.alert_rules (
    id         uuid PRIMARY KEY,
    zone_id    uuid,                               -- null: all zones
    name       text NOT NULL,
    kind       text NOT NULL,
    threshold  double precision NOT NULL DEFAULT 0,
    metric     text NOT NULL DEFAULT '',
    tier       text NOT NULL DEFAULT '',
    window_s   double precision NOT NULL DEFAULT 0, -- seconds
    cooldown_s double precision NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL
);

-- An alert, and with its last one the state of a rule on a tweet.
CREATE TABLE IF NOT EXISTS gorgone.alerts (
    id          uuid PRIMARY KEY,
    rule_id     uuid NOT NULL,
    rule        text NOT NULL,                     -- its name at that time
    kind        text NOT NULL,
    zone_id     uuid NOT NULL,
    subject     uuid NOT NULL,                     -- row of the tweet, or the zone
    tweet_db_id uuid,                              -- null: about the zone
    tweet_id    text NOT NULL DEFAULT '',
    value       double precision NOT NULL,
    threshold   double precision,
    message     text NOT NULL,
    raised_at   timestamptz NOT NULL,              -- engine time
    cleared_at  timestamptz                        -- null: active
);

CREATE UNIQUE INDEX IF NOT EXISTS alerts_active ON gorgone.alerts (rule_id, subject) WHERE cleared_at IS NULL;
CREATE INDEX IF NOT EXISTS alerts_subject ON gorgone.alerts (subject, rule_id, raised_at DESC);
CREATE INDEX IF NOT EXISTS alerts_raised ON gorgone.alerts (raised_at DESC);

CREATE TABLE IF NOT EXISTS gorgone.webhooks (
    id         uuid PRIMARY KEY,
    zone_id    uuid,                               -- null: all zones
    url        text NOT NULL,
    secret     text NOT NULL,
    format     text NOT NULL CHECK (format IN ('json', 'slack')),
    enabled    boolean NOT NULL DEFAULT true,
    disabled   text NOT NULL DEFAULT '',           -- why
    created_at timestamptz NOT NULL
);

COMMENT ON COLUMN gorgone.webhooks.secret IS 'SECRET: signs what is sent. Keep it out of what you share of this database.';
COMMENT ON COLUMN gorgone.webhooks.url IS 'SECRET: whoever knows it may post there. Keep it out of what you share of this database.';

-- Who is still to be told of an alert.
CREATE TABLE IF NOT EXISTS gorgone.alert_deliveries (
    id            uuid PRIMARY KEY,
    alert_id      uuid NOT NULL,
    webhook_id    uuid NOT NULL,                   -- all zeros: those who watch live
    created_at    timestamptz NOT NULL,            -- engine time
    due_at        timestamptz NOT NULL,
    attempts      integer NOT NULL DEFAULT 0,
    claim_id      uuid,                            -- whose it is until claimed_until
    claimed_until timestamptz,
    delivered_at  timestamptz,
    dead_at       timestamptz,                     -- given up
    last_error    text NOT NULL DEFAULT ''
);

CREATE INDEX IF NOT EXISTS alert_deliveries_due ON gorgone.alert_deliveries (webhook_id, due_at) WHERE delivered_at IS NULL AND dead_at IS NULL;
CREATE INDEX IF NOT EXISTS alert_deliveries_alert ON gorgone.alert_deliveries (alert_id);
CREATE INDEX IF NOT EXISTS alert_deliveries_dead ON gorgone.alert_deliveries (dead_at) WHERE dead_at IS NOT NULL;
