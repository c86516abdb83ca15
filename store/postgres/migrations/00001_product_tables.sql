-- The tables of the product. They are made where they are missing, and left as
-- they are where they exist; later steps only add to them.
--
-- Defaults that ask for the time are for the product's own inserts. The engine
-- passes every time itself.
--
-- Row-level security is switched on, with no policy, because everything in the
-- public schema can be reached through the product's REST layer. The owner is
-- not bound by it.

-- +goose Up
SET LOCAL lock_timeout = '10s';

-- +goose StatementBegin
DO $$ BEGIN
IF to_regclass('public.clients') IS NULL THEN
    CREATE TABLE public.clients (
        id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        name       text NOT NULL,
        is_active  boolean DEFAULT true,
        created_at timestamptz DEFAULT now(),
        updated_at timestamptz DEFAULT now()
    );
    ALTER TABLE public.clients ENABLE ROW LEVEL SECURITY;
END IF;

IF to_regclass('public.zones') IS NULL THEN
    CREATE TABLE public.zones (
        id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        name                text NOT NULL,
        client_id           uuid NOT NULL REFERENCES public.clients (id) ON DELETE CASCADE,
        operational_context text,
        data_sources        jsonb,
        settings            jsonb DEFAULT '{}',
        is_active           boolean DEFAULT true,
        created_at          timestamptz DEFAULT now(),
        created_by          uuid,
        updated_at          timestamptz DEFAULT now()
    );
    ALTER TABLE public.zones ENABLE ROW LEVEL SECURITY;
END IF;

IF to_regclass('public.profiles') IS NULL THEN
    CREATE TABLE public.profiles (
        id           uuid PRIMARY KEY,
        email        text,
        role         text CHECK (role IN ('super_admin', 'admin', 'operator', 'manager')),
        organization text,
        client_id    uuid REFERENCES public.clients (id) ON DELETE SET NULL,
        created_at   timestamptz DEFAULT now(),
        updated_at   timestamptz DEFAULT now()
    );
    ALTER TABLE public.profiles ENABLE ROW LEVEL SECURITY;
END IF;

IF to_regclass('public.twitter_tweets') IS NULL THEN
    CREATE TABLE public.twitter_tweets (
        id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        zone_id           uuid NOT NULL REFERENCES public.zones (id) ON DELETE CASCADE,
        tweet_id          text NOT NULL,
        author_profile_id uuid,
        conversation_id   text,
        text              text NOT NULL,
        lang              text,
        source            text,
        twitter_created_at timestamptz NOT NULL,
        collected_at      timestamptz DEFAULT now(),
        retweet_count     integer DEFAULT 0,
        reply_count       integer DEFAULT 0,
        like_count        integer DEFAULT 0,
        quote_count       integer DEFAULT 0,
        view_count        integer DEFAULT 0,
        bookmark_count    integer DEFAULT 0,
        -- A count that was never known is null, and adds nothing.
        total_engagement  integer GENERATED ALWAYS AS (
            COALESCE(retweet_count, 0) + COALESCE(reply_count, 0) + COALESCE(like_count, 0) + COALESCE(quote_count, 0)
        ) STORED,
        has_media         boolean DEFAULT false,
        has_links         boolean DEFAULT false,
        has_hashtags      boolean DEFAULT false,
        has_mentions      boolean DEFAULT false,
        raw_data          jsonb NOT NULL,
        created_at        timestamptz DEFAULT now(),
        updated_at        timestamptz DEFAULT now(),
        -- In this order it serves look-ups by tweet id too.
        UNIQUE (tweet_id, zone_id)
    ) WITH (
        -- Room to update counts in place, and large raw data out of the way of it.
        fillfactor = 80,
        toast_tuple_target = 256
    );
    ALTER TABLE public.twitter_tweets ENABLE ROW LEVEL SECURITY;
END IF;

IF to_regclass('public.twitter_engagement_history') IS NULL THEN
    CREATE TABLE public.twitter_engagement_history (
        id                  uuid NOT NULL DEFAULT gen_random_uuid(),
        tweet_id            uuid NOT NULL REFERENCES public.twitter_tweets (id) ON DELETE CASCADE,
        retweet_count       integer DEFAULT 0,
        reply_count         integer DEFAULT 0,
        like_count          integer DEFAULT 0,
        quote_count         integer DEFAULT 0,
        view_count          integer DEFAULT 0,
        bookmark_count      integer DEFAULT 0,
        total_engagement    integer GENERATED ALWAYS AS (
            COALESCE(retweet_count, 0) + COALESCE(reply_count, 0) + COALESCE(like_count, 0) + COALESCE(quote_count, 0)
        ) STORED,
        delta_retweets      integer DEFAULT 0,
        delta_replies       integer DEFAULT 0,
        delta_likes         integer DEFAULT 0,
        delta_quotes        integer DEFAULT 0,
        delta_views         integer DEFAULT 0,
        engagement_velocity numeric,
        snapshot_at         timestamptz NOT NULL DEFAULT now(),
        created_at          timestamptz DEFAULT now(),
        PRIMARY KEY (id, snapshot_at)
    ) PARTITION BY RANGE (snapshot_at);
    CREATE INDEX twitter_engagement_history_tweet ON public.twitter_engagement_history (tweet_id, snapshot_at);
    ALTER TABLE public.twitter_engagement_history ENABLE ROW LEVEL SECURITY;
    -- Partitions lie in our schema: the security of the parent does not cover
    -- reads of a partition itself.
    CREATE TABLE gorgone.history_default PARTITION OF public.twitter_engagement_history DEFAULT;
END IF;

IF to_regclass('public.twitter_engagement_tracking') IS NULL THEN
    CREATE TABLE public.twitter_engagement_tracking (
        id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        tweet_db_id     uuid NOT NULL UNIQUE REFERENCES public.twitter_tweets (id) ON DELETE CASCADE,
        tier            text NOT NULL CHECK (tier IN ('ultra_hot', 'hot', 'warm', 'cold')),
        last_updated_at timestamptz DEFAULT now(),
        next_update_at  timestamptz,
        update_count    integer DEFAULT 0,
        created_at      timestamptz DEFAULT now()
    ) WITH (
        -- Every live row is written twice a look, once by the claim (in place)
        -- and once by the answer.
        fillfactor = 70,
        autovacuum_vacuum_scale_factor = 0.05,
        autovacuum_analyze_scale_factor = 0.02
    );
    ALTER TABLE public.twitter_engagement_tracking ENABLE ROW LEVEL SECURITY;
END IF;
END $$;
-- +goose StatementEnd
