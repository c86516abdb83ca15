-- Which message each token of QStash was used for, so that a token that was
-- caught can not be used for another one.

-- +goose Up
CREATE TABLE IF NOT EXISTS gorgone.qstash_tokens (
    token_id   text PRIMARY KEY,     -- the token's "jti"
    message_id text NOT NULL,
    body_hash  bytea NOT NULL,       -- SHA-256
    keep_until timestamptz NOT NULL  -- real time, past the token's end
);

CREATE INDEX IF NOT EXISTS qstash_tokens_keep ON gorgone.qstash_tokens (keep_until);
