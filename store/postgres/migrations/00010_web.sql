-- What the HTTP side keeps.

-- +goose Up
SET LOCAL lock_timeout = '10s';

-- One row a refresh that was asked for over HTTP. It is written before the
-- request is published, and closed by the transaction that writes the answer, so
-- that a lost message costs time and never the answer.
CREATE TABLE IF NOT EXISTS gorgone.refresh_requests (
    id               uuid PRIMARY KEY,
    row_id           uuid NOT NULL,        -- of twitter_tweets; the tweet's other rows gain too
    tweet_id         text NOT NULL,
    requester        text NOT NULL,        -- whose allowance it counts against
    requested_at     timestamptz NOT NULL,
    deadline         timestamptz NOT NULL, -- an open request past it reads "expired"
    closed_at        timestamptz,
    outcome          text,
    cause            text,                 -- of a failure, for programs
    reason           text,                 -- for people
    retry_at         timestamptz,          -- when to ask again, if that is known
    snapshot_created boolean NOT NULL DEFAULT false,
    tier_updated     boolean NOT NULL DEFAULT false
);

CREATE INDEX IF NOT EXISTS refresh_requests_open ON gorgone.refresh_requests (tweet_id) WHERE closed_at IS NULL;
CREATE INDEX IF NOT EXISTS refresh_requests_requester ON gorgone.refresh_requests (requester, requested_at);
CREATE INDEX IF NOT EXISTS refresh_requests_requested ON gorgone.refresh_requests (requested_at);

-- The answers given to triggers that carry a message id, so that a message
-- delivered twice runs once. An answer that is null is still being worked on.
CREATE TABLE IF NOT EXISTS gorgone.trigger_answers (
    message_id text PRIMARY KEY,
    begun_at   timestamptz NOT NULL,
    answer     jsonb
);

CREATE INDEX IF NOT EXISTS trigger_answers_begun ON gorgone.trigger_answers (begun_at);

-- What a batch cost at the provider.
ALTER TABLE gorgone.batches
    ADD COLUMN IF NOT EXISTS calls   integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS call_ms double precision NOT NULL DEFAULT 0; -- all calls together

-- The provider's filter rules, by which pushed tweets find their zone.
-- +goose StatementBegin
DO $$ BEGIN
IF to_regclass('public.twitter_rules') IS NULL THEN
    CREATE TABLE public.twitter_rules (
        id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        zone_id          uuid NOT NULL REFERENCES public.zones (id) ON DELETE CASCADE,
        tag              text NOT NULL,
        query            text NOT NULL,
        external_rule_id text,
        is_active        boolean DEFAULT true,
        created_at       timestamptz DEFAULT now(),
        updated_at       timestamptz DEFAULT now()
    );
    CREATE INDEX twitter_rules_external ON public.twitter_rules (external_rule_id);
    ALTER TABLE public.twitter_rules ENABLE ROW LEVEL SECURITY;
END IF;
END $$;
-- +goose StatementEnd
