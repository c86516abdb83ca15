-- The product's tables as they are before the engine comes, reduced to what
-- matters here: constraints, defaults, generated columns and some of its indexes.
-- UNIQUENESS is replaced by that of the older or the newer database.

CREATE TABLE clients (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    is_active boolean DEFAULT true,
    created_at timestamptz DEFAULT now()
);
CREATE TABLE zones (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    client_id uuid NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    operational_context text,
    data_sources jsonb,
    settings jsonb DEFAULT '{}',
    is_active boolean DEFAULT true,
    created_at timestamptz DEFAULT now(),
    created_by uuid,
    updated_at timestamptz DEFAULT now()
);
CREATE TABLE profiles (id uuid PRIMARY KEY, email text, role text, organization text, client_id uuid);
CREATE TABLE twitter_tweets (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    zone_id uuid NOT NULL REFERENCES zones (id) ON DELETE CASCADE,
    tweet_id text NOT NULL,
    author_profile_id uuid,
    conversation_id text,
    text TEXT NOT NULL,
    lang text,
    source text,
    twitter_created_at timestamptz NOT NULL,
    collected_at timestamptz DEFAULT now(),
    retweet_count INTEGER DEFAULT 0,
    reply_count INTEGER DEFAULT 0,
    like_count INTEGER DEFAULT 0,
    quote_count INTEGER DEFAULT 0,
    view_count INTEGER DEFAULT 0,
    bookmark_count INTEGER DEFAULT 0,
    total_engagement INTEGER GENERATED ALWAYS AS (retweet_count + reply_count + like_count + quote_count) STORED,
    has_media boolean DEFAULT false,
    raw_data JSONB NOT NULL,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    UNIQUE (UNIQUENESS)
);
CREATE INDEX idx_tweets_zone ON twitter_tweets (zone_id);
CREATE INDEX idx_tweets_created ON twitter_tweets (twitter_created_at DESC);
CREATE INDEX idx_tweets_engagement ON twitter_tweets (total_engagement DESC);
CREATE TABLE twitter_engagement_history (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tweet_id uuid NOT NULL REFERENCES twitter_tweets (id) ON DELETE CASCADE,
    retweet_count INTEGER DEFAULT 0,
    reply_count INTEGER DEFAULT 0,
    like_count INTEGER DEFAULT 0,
    quote_count INTEGER DEFAULT 0,
    view_count INTEGER DEFAULT 0,
    bookmark_count INTEGER DEFAULT 0,
    total_engagement INTEGER GENERATED ALWAYS AS (retweet_count + reply_count + like_count + quote_count) STORED,
    delta_retweets INTEGER DEFAULT 0,
    delta_replies INTEGER DEFAULT 0,
    delta_likes INTEGER DEFAULT 0,
    delta_quotes INTEGER DEFAULT 0,
    delta_views INTEGER DEFAULT 0,
    engagement_velocity NUMERIC,
    snapshot_at timestamptz DEFAULT now(),
    created_at timestamptz DEFAULT now()
);
CREATE TABLE twitter_engagement_tracking (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tweet_db_id uuid NOT NULL UNIQUE REFERENCES twitter_tweets (id) ON DELETE CASCADE,
    tier text NOT NULL CHECK (tier IN ('ultra_hot', 'hot', 'warm', 'cold')),
    last_updated_at timestamptz DEFAULT NOW(),
    next_update_at timestamptz,
    update_count int DEFAULT 0,
    created_at timestamptz DEFAULT now()
);
CREATE INDEX idx_tracking_tier ON twitter_engagement_tracking (tier);
CREATE INDEX idx_tracking_next ON twitter_engagement_tracking (next_update_at) WHERE tier <> 'cold';
ALTER TABLE clients ENABLE ROW LEVEL SECURITY;
ALTER TABLE zones ENABLE ROW LEVEL SECURITY;
ALTER TABLE profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE twitter_tweets ENABLE ROW LEVEL SECURITY;
ALTER TABLE twitter_engagement_history ENABLE ROW LEVEL SECURITY;
ALTER TABLE twitter_engagement_tracking ENABLE ROW LEVEL SECURITY;

-- A tweet with three looks behind it, the last of them written twice by
-- overlapping runs; one that was collected and never looked at; a cold one.
INSERT INTO clients (id, name) VALUES ('c0000000-0000-0000-0000-000000000001', 'client');
INSERT INTO zones (id, name, client_id) VALUES
    ('a0000000-0000-0000-0000-000000000001', 'first', 'c0000000-0000-0000-0000-000000000001'),
    ('a0000000-0000-0000-0000-000000000002', 'second', 'c0000000-0000-0000-0000-000000000001');
INSERT INTO twitter_tweets (id, zone_id, tweet_id, text, twitter_created_at, collected_at, like_count, view_count, raw_data) VALUES
    ('b0000000-0000-0000-0000-000000000001', 'a0000000-0000-0000-0000-000000000001', '101', 'looked at', '2026-03-01 11:00+00', '2026-03-01 11:05+00', 50, 500, '{}'),
    ('b0000000-0000-0000-0000-000000000002', 'a0000000-0000-0000-0000-000000000001', '102', 'collected', '2026-03-01 11:50+00', '2026-03-01 11:55+00', 7, 70, '{}'),
    ('b0000000-0000-0000-0000-000000000003', 'a0000000-0000-0000-0000-000000000001', '103', 'cold', '2026-02-01 11:00+00', '2026-02-01 11:05+00', 9, 90, '{}'),
    ('b0000000-0000-0000-0000-000000000004', 'a0000000-0000-0000-0000-000000000001', '104', 'not tracked', '2026-03-01 11:50+00', '2026-03-01 11:55+00', 4, 40, '{}');
INSERT INTO twitter_engagement_history (tweet_id, like_count, view_count, delta_likes, delta_views, engagement_velocity, snapshot_at) VALUES
    ('b0000000-0000-0000-0000-000000000001', 20, 200, 0, 0, NULL, '2026-03-01 11:20+00'),
    ('b0000000-0000-0000-0000-000000000001', 35, 350, 15, 150, 90, '2026-03-01 11:30+00'),
    ('b0000000-0000-0000-0000-000000000001', 50, 500, 15, 150, 90, '2026-03-01 11:40+00'),
    ('b0000000-0000-0000-0000-000000000001', 50, 500, 15, 150, 90, '2026-03-01 11:40+00');
INSERT INTO twitter_engagement_tracking (tweet_db_id, tier, last_updated_at, next_update_at, update_count) VALUES
    ('b0000000-0000-0000-0000-000000000001', 'ultra_hot', '2026-03-01 11:40+00', '2026-03-01 11:50+00', 3),
    ('b0000000-0000-0000-0000-000000000002', 'ultra_hot', '2026-03-01 11:55+00', '2026-03-01 11:55+00', 0),
    ('b0000000-0000-0000-0000-000000000003', 'cold', '2026-02-01 23:00+00', NULL, 20);
