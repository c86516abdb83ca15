-- The running estimate of a tweet's pace in binary: a quarter of its JSON, on every
-- look-up. A row is moved over when it is next looked up; until then, and for rows that
-- an older version of the program has written since, the column activity holds it.

-- +goose Up
SET LOCAL lock_timeout = '10s';

ALTER TABLE public.twitter_engagement_tracking ADD COLUMN IF NOT EXISTS activity_state bytea;

-- The single-precision number at an offset.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION gorgone.float4_at(state bytea, at integer) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN b.sign = 1 THEN -1 ELSE 1 END * CASE
        WHEN b.exponent = 0 THEN b.mantissa * power(2::float8, -149)
        ELSE (b.mantissa + 8388608) * power(2::float8, b.exponent - 150) END
    FROM (
        SELECT get_byte(state, at) >> 7 AS sign,
            (get_byte(state, at) & 127) * 2 + (get_byte(state, at + 1) >> 7) AS exponent,
            ((get_byte(state, at + 1) & 127) * 65536 + get_byte(state, at + 2) * 256 + get_byte(state, at + 3))::float8 AS mantissa
    ) b
$$;
-- +goose StatementEnd

-- The double-precision number at an offset.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION gorgone.float8_at(state bytea, at integer) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN b.bits < 0 THEN -1 ELSE 1 END * CASE
        WHEN b.bits >> 52 & 2047 = 0 THEN (b.bits & 4503599627370495)::float8 * power(2::float8, -1074)
        ELSE ((b.bits & 4503599627370495) + 4503599627370496)::float8 * power(2::float8, (b.bits >> 52 & 2047)::int - 1075) END
    FROM (SELECT ('x' || encode(substr(state, at + 1, 8), 'hex'))::bit(64)::int8 AS bits) b
$$;
-- +goose StatementEnd

-- The estimate of a tracking row as JSON, whichever column has it: in "c", n is what was
-- seen and k the exposure, in the order retweets, replies, likes, quotes, views,
-- bookmarks. Null for a format that this schema does not know.
--   select tweet_db_id, gorgone.activity(activity, activity_state) from public.twitter_engagement_tracking
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION gorgone.activity(activity jsonb, state bytea) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN activity IS NOT NULL THEN activity WHEN length(state) = 77 AND get_byte(state, 0) = 1 THEN
        jsonb_strip_nulls(jsonb_build_object(
            'at', to_char('1970-01-01'::timestamp + nullif(('x' || encode(substr(state, 2, 8), 'hex'))::bit(64)::int8, 0) * interval '1 microsecond',
                'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'c', (SELECT jsonb_agg(jsonb_build_object('n', gorgone.float4_at(state, 9 + 8 * i), 'k', gorgone.float4_at(state, 13 + 8 * i)) ORDER BY i)
                FROM generate_series(0, 5) i),
            'e', jsonb_build_object('n', gorgone.float4_at(state, 57), 'k', gorgone.float4_at(state, 61)),
            'x', gorgone.float8_at(state, 65),
            'd', ('x' || encode(substr(state, 74, 4), 'hex'))::bit(32)::int4)) END
$$;
-- +goose StatementEnd
