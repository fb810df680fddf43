-- People who log in.
CREATE TABLE public.users (
    id serial PRIMARY KEY,
    name text NOT NULL
);

CREATE INDEX users_name ON users (name);
CREATE VIEW active_users AS SELECT * FROM users;
CREATE TYPE mood AS ENUM ('ok', 'bad');

/* Counts them. */
CREATE OR REPLACE FUNCTION count_users(minimum int) RETURNS int AS $$
BEGIN
    RETURN 1;
END
$$ LANGUAGE plpgsql;

CREATE SCHEMA audit;
