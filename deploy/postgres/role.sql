-- The role of the engine, and its database. It is no superuser, and what it does not own
-- it cannot change. The image of Postgres runs this with psql when it makes a new volume.
\set password `cat "${DATABASE_PASSWORD_FILE:-/run/secrets/database_password}"`
create role gorgone login password :'password';
create database gorgone owner gorgone;
revoke connect, temporary on database gorgone from public;
