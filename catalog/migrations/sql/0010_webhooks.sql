-- Webhooks -----------------------------------------------------------------------------------------------------
-- The outbox stream is read by ledger position.
CREATE INDEX version_event_position ON version_event (position);
CREATE INDEX pipeline_run_transition_position ON pipeline_run_transition (position);

-- Nothing that happened before there were webhooks is anybody's message, unless somebody asks for a replay.
INSERT INTO follower (name, position) SELECT 'webhooks', position FROM follower WHERE name = 'state';

CREATE TABLE webhook (
    name              text        NOT NULL PRIMARY KEY,
    document_version  integer     NOT NULL,
    state             text        NOT NULL,
    -- Why, since when and by whose doing it is in its state.
    reason            text        NOT NULL,
    since             timestamptz NOT NULL,
    actor             text        NOT NULL,
    -- Place of the stream up to which its messages have been made.
    filled_to         bigint      NOT NULL,
    pending           bigint      NOT NULL DEFAULT 0,
    dead              bigint      NOT NULL DEFAULT 0,
    -- Counted since it was registered: messages delivered, attempts that failed.
    delivered         bigint      NOT NULL DEFAULT 0,
    failed            bigint      NOT NULL DEFAULT 0,
    -- The one delivery job that counts, null where there is none; and the execution of it that counts.
    ticket            bigint,
    holder            uuid,
    last_delivered_at timestamptz,
    last_failed_at    timestamptz,
    last_error        text,
    CHECK (pending >= 0 AND dead >= 0)
);
COMMENT ON TABLE webhook IS
    'work: how far each webhook has come; written by the webhooks follower and by delivery jobs. Made from documents, commands'
    ' and what receivers answered, the last of which is nowhere else: not to be rebuilt';
CREATE SEQUENCE webhook_ticket;

CREATE TABLE webhook_message (
    -- Messages of a webhook are sent in this order.
    number          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook         text        NOT NULL,
    id              uuid        NOT NULL,
    type            text        NOT NULL,
    position        bigint      NOT NULL,
    at              timestamptz NOT NULL,
    -- The bytes that are signed and sent.
    payload         bytea       NOT NULL,
    state           text        NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    last_attempt_at timestamptz,
    -- Of the last attempt: the HTTP status, if there was one, and why it failed, if it did.
    status          integer,
    error           text,
    UNIQUE (webhook, id)
);
CREATE INDEX webhook_message_state ON webhook_message (webhook, state, number);
COMMENT ON TABLE webhook_message IS
    'work: messages on their way (pending), the last that arrived (delivered, pruned), dead letters (dead) and tests (test,'
    ' failed); bounded for each webhook. Messages, not state: nothing is made from them';
