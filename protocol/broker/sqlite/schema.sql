-- The tables of an embedded broker and result store, version 3.
--
-- A message is in exactly one of `waiting`, `reserved` and `delayed`; its bytes
-- stay in `message` all the while, so that moving it is a few small writes.
-- All times are microseconds since 1970 by the clock of the machine.

-- -- messages -----------------------------------------------------------------

-- What was published and is not done with.
CREATE TABLE message (
  id INTEGER PRIMARY KEY,
  queue TEXT NOT NULL,
  step INTEGER NOT NULL, -- of its priority: the smallest is consumed first
  payload BLOB NOT NULL  -- kombu's envelope, byte for byte
);

-- Queues in the order of consumption.
CREATE TABLE waiting (
  queue TEXT NOT NULL,
  step INTEGER NOT NULL,
  position INTEGER NOT NULL,
  message INTEGER NOT NULL,
  PRIMARY KEY (queue, step, position)
) WITHOUT ROWID;

-- The lives of workers that hold messages.
CREATE TABLE owner (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- never that of a dead one
  name TEXT NOT NULL UNIQUE,            -- '<node>/<incarnation>'
  lease INTEGER -- when it ends; null for a peer that holds none, whose messages
                -- come back by the visibility timeout alone
);

-- The ledger: the delivery with the tag '<owner>/<sequence>'.
CREATE TABLE reserved (
  owner INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  message INTEGER NOT NULL,
  since INTEGER NOT NULL, -- reserved or renewed last
  PRIMARY KEY (owner, sequence)
) WITHOUT ROWID;

-- What waits to be due, owned by nobody.
CREATE TABLE delayed (
  due INTEGER NOT NULL,
  message INTEGER NOT NULL,
  PRIMARY KEY (due, message)
) WITHOUT ROWID;

-- Tags whose follow-ups were published without a fence, for an hour: whoever
-- sends them again after a lost reply does not publish twice.
CREATE TABLE published (
  number INTEGER PRIMARY KEY,
  tag TEXT NOT NULL UNIQUE,
  at INTEGER NOT NULL
);

-- Messages that were parked, the newest with the highest number.
CREATE TABLE dead (
  queue TEXT NOT NULL,
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  reason TEXT NOT NULL,
  payload BLOB NOT NULL,
  PRIMARY KEY (queue, number)
);

-- Tasks that were revoked. (Since version 2.)
CREATE TABLE revoked (
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL
) WITHOUT ROWID;

-- -- exchanges ----------------------------------------------------------------

-- Direct and topic exchanges.
CREATE TABLE binding (
  exchange TEXT NOT NULL,
  key TEXT NOT NULL,      -- a routing key, or a pattern
  topic INTEGER NOT NULL, -- 1: `key` is a pattern
  queue TEXT NOT NULL,
  PRIMARY KEY (exchange, key, topic, queue)
) WITHOUT ROWID;

-- Fanout exchanges: the last messages of each. A subscriber remembers the number
-- of the last one that it has read.
CREATE TABLE broadcast (
  exchange TEXT NOT NULL,
  number INTEGER NOT NULL,
  payload BLOB NOT NULL,
  PRIMARY KEY (exchange, number)
);

-- Who listens, as long as it renews.
CREATE TABLE subscriber (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  exchange TEXT NOT NULL,
  lease INTEGER NOT NULL
);

-- Shared rate limits: the state of a rate_bucket.
CREATE TABLE rate (
  name TEXT PRIMARY KEY,
  free INTEGER NOT NULL,
  line INTEGER NOT NULL
) WITHOUT ROWID;

-- -- results ------------------------------------------------------------------

-- The last state of each task. Every write takes the next number: whoever waits
-- for results reads those behind the last number that it has seen.
CREATE TABLE result (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  success INTEGER NOT NULL, -- 1: is never overwritten
  expires INTEGER,          -- null: never
  document TEXT NOT NULL
);
CREATE INDEX result_expires ON result (expires) WHERE expires IS NOT NULL;

-- Groups that were saved under their id.
CREATE TABLE result_group (
  id TEXT PRIMARY KEY,
  expires INTEGER,
  document TEXT NOT NULL
) WITHOUT ROWID;

-- Chords whose header runs: how many parts there are, if that is known yet; and,
-- where the body is published elsewhere, with which task the last part came. (Since
-- version 3.)
CREATE TABLE chord (
  id TEXT PRIMARY KEY,
  size INTEGER,
  last TEXT,
  expires INTEGER -- null: never
) WITHOUT ROWID;

CREATE INDEX chord_expires ON chord (expires) WHERE expires IS NOT NULL;
CREATE INDEX result_group_expires ON result_group (expires)
  WHERE expires IS NOT NULL;

-- Parts of chords that have ended. One that runs twice counts once.
CREATE TABLE chord_part (
  chord TEXT NOT NULL,
  place INTEGER NOT NULL, -- in the header
  task TEXT NOT NULL,
  state TEXT NOT NULL,
  result TEXT NOT NULL,   -- as JSON
  PRIMARY KEY (chord, place, task)
) WITHOUT ROWID;

-- Tasks that have joined a header while it ran; they add to its size.
CREATE TABLE chord_joined (
  chord TEXT NOT NULL,
  task TEXT NOT NULL,
  PRIMARY KEY (chord, task)
) WITHOUT ROWID;
