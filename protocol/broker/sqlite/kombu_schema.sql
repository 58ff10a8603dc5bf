-- kombu's own two tables (kombu/transport/sqlalchemy/models.py), word for word as
-- SQLAlchemy makes them: whoever comes first makes them, and either can use them.

CREATE TABLE IF NOT EXISTS kombu_queue (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  name VARCHAR(200),
  UNIQUE (name)
);

CREATE TABLE IF NOT EXISTS kombu_message (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  visible BOOLEAN,     -- kombu makes it false when it receives the message, and
                       -- never deletes the row
  timestamp DATETIME,  -- when that was; null until then
  payload TEXT NOT NULL,
  version SMALLINT NOT NULL,
  queue_id INTEGER,
  CONSTRAINT "FK_kombu_message_queue" FOREIGN KEY(queue_id) REFERENCES kombu_queue (id)
);
CREATE INDEX IF NOT EXISTS ix_kombu_message_visible ON kombu_message (visible);
CREATE INDEX IF NOT EXISTS ix_kombu_message_timestamp ON kombu_message (timestamp);
CREATE INDEX IF NOT EXISTS ix_kombu_message_timestamp_id
  ON kombu_message (timestamp, id);
