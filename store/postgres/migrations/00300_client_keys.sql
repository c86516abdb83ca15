-- API keys that clients bring of their own.

-- +goose Up
SET LOCAL lock_timeout = '10s';

CREATE TABLE IF NOT EXISTS gorgone.client_keys (
    client_id uuid PRIMARY KEY,
    provider  text NOT NULL,
    key_id    text NOT NULL,                   -- names the key without giving it away
    sealed    bytea,                           -- by AES-256-GCM; null: the key was removed
    secret_id text NOT NULL,                   -- of the secret that sealed it
    ends      text NOT NULL,                   -- the key's last characters, by which people know it
    rate      double precision NOT NULL,       -- calls a second that it allows; 0: the provider's lowest plan
    shared    boolean NOT NULL DEFAULT false,  -- the installation's own key may be used where this one cannot
    set_at    timestamptz NOT NULL,            -- engine time
    set_by    text NOT NULL
);

-- Whose key it is: the client's; null, and in the ledger zeros: the installation's own.
ALTER TABLE gorgone.batches ADD COLUMN IF NOT EXISTS key_client uuid;
ALTER TABLE gorgone.set_aside ADD COLUMN IF NOT EXISTS key_client uuid;
ALTER TABLE gorgone.refresh_requests ADD COLUMN IF NOT EXISTS key_client uuid;
ALTER TABLE gorgone.spending ADD COLUMN IF NOT EXISTS key_client uuid;

ALTER TABLE gorgone.ledger ADD COLUMN IF NOT EXISTS key_client uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
ALTER TABLE gorgone.ledger DROP CONSTRAINT IF EXISTS ledger_pkey;
ALTER TABLE gorgone.ledger ADD PRIMARY KEY (day, provider, zone_id, refresh, kind, key_client);
