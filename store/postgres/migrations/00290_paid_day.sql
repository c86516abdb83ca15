-- The estimate of a tweet may have behind it the UTC day on which the tweet was paid for last,
-- where a provider charges for a tweet once a day: version 2, which gorgone.activity reads too.

-- +goose Up
SET LOCAL lock_timeout = '10s';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION gorgone.activity(activity jsonb, state bytea) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN activity IS NOT NULL THEN activity
        WHEN length(state) = 77 AND get_byte(state, 0) = 1 OR length(state) = 81 AND get_byte(state, 0) = 2 THEN
        jsonb_strip_nulls(jsonb_build_object(
            'at', to_char('1970-01-01'::timestamp + nullif(('x' || encode(substr(state, 2, 8), 'hex'))::bit(64)::int8, 0) * interval '1 microsecond',
                'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'c', (SELECT jsonb_agg(jsonb_build_object('n', gorgone.float4_at(state, 9 + 8 * i), 'k', gorgone.float4_at(state, 13 + 8 * i)) ORDER BY i)
                FROM generate_series(0, 5) i),
            'e', jsonb_build_object('n', gorgone.float4_at(state, 57), 'k', gorgone.float4_at(state, 61)),
            'x', gorgone.float8_at(state, 65),
            'd', ('x' || encode(substr(state, 74, 4), 'hex'))::bit(32)::int4,
            'p', CASE WHEN length(state) = 81 THEN
                to_char('1970-01-01'::date + ('x' || encode(substr(state, 78, 4), 'hex'))::bit(32)::int4, 'YYYY-MM-DD"T00:00:00Z"') END)) END
$$;
-- +goose StatementEnd
