// All SQL of the embedded broker and result store, on the tables of schema.sql.
// Parameters are ?1, ?2 ... in the order in which they are given to `database`.
#pragma once

namespace umbel::sqlite::sql {

// -- queues -------------------------------------------------------------------

/// Queue. One row if something waits in it.
inline constexpr auto any_waiting
  = "SELECT 1 FROM waiting WHERE queue = ?1 LIMIT 1";

/// Queue, how many. Step, position and message of what is consumed next.
inline constexpr auto next_waiting
  = "SELECT step, position, message FROM waiting WHERE queue = ?1"
    " ORDER BY step, position LIMIT ?2";

/// Queue, step, position. Takes away everything up to there.
inline constexpr auto take_waiting
  = "DELETE FROM waiting WHERE queue = ?1 AND step = ?2 AND position <= ?3";

/// Queue, step, message.
inline constexpr auto push_back
  = "INSERT INTO waiting (queue, step, position, message) VALUES (?1, ?2,"
    " (SELECT coalesce(max(position), 0) + 1 FROM waiting"
    "  WHERE queue = ?1 AND step = ?2), ?3)";

inline constexpr auto push_front
  = "INSERT INTO waiting (queue, step, position, message) VALUES (?1, ?2,"
    " (SELECT coalesce(min(position), 0) - 1 FROM waiting"
    "  WHERE queue = ?1 AND step = ?2), ?3)";

inline constexpr auto count_waiting
  = "SELECT count(*) FROM waiting WHERE queue = ?1";

// -- messages -----------------------------------------------------------------

/// Queue, step, payload.
inline constexpr auto add_message
  = "INSERT INTO message (queue, step, payload) VALUES (?1, ?2, ?3)";

inline constexpr auto message_payload
  = "SELECT payload FROM message WHERE id = ?1";

inline constexpr auto message_place
  = "SELECT queue, step FROM message WHERE id = ?1";

inline constexpr auto replace_payload
  = "UPDATE message SET payload = ?2 WHERE id = ?1";

inline constexpr auto remove_message = "DELETE FROM message WHERE id = ?1";

/// The first and the last of a run.
inline constexpr auto remove_messages
  = "DELETE FROM message WHERE id BETWEEN ?1 AND ?2";

// -- owners and the ledger ----------------------------------------------------

/// Name. Its id, whatever its lease.
inline constexpr auto owner_id = "SELECT id FROM owner WHERE name = ?1";

/// Name, now. Its id if its lease runs.
inline constexpr auto living_owner
  = "SELECT id FROM owner WHERE name = ?1 AND lease > ?2";

/// Name, end of its lease. Its id.
inline constexpr auto extend_lease
  = "INSERT INTO owner (name, lease) VALUES (?1, ?2)"
    " ON CONFLICT (name) DO UPDATE SET lease = excluded.lease RETURNING id";

/// Name. Nothing if there is no such owner, or no more.
inline constexpr auto end_of_lease
  = "SELECT coalesce(lease, 0) FROM owner WHERE name = ?1";

/// Now, an owner to leave out. Ids and names of those whose lease is over.
inline constexpr auto dead_owners
  = "SELECT id, name FROM owner WHERE lease <= ?1 AND name <> ?2";

/// Id, now.
inline constexpr auto remove_dead_owner
  = "DELETE FROM owner WHERE id = ?1 AND lease <= ?2";

inline constexpr auto end_lease = "UPDATE owner SET lease = 0 WHERE name = ?1";

/// Name. Goes without a trace if it holds nothing.
inline constexpr auto remove_idle_owner
  = "DELETE FROM owner WHERE name = ?1 AND NOT EXISTS"
    " (SELECT 1 FROM reserved WHERE reserved.owner = owner.id)";

/// Owner, sequence, message, now.
inline constexpr auto add_reserved
  = "INSERT INTO reserved (owner, sequence, message, since)"
    " VALUES (?1, ?2, ?3, ?4)";

/// Owner, the first and the last sequence of a run.
inline constexpr auto reserved_between
  = "SELECT sequence, message FROM reserved"
    " WHERE owner = ?1 AND sequence BETWEEN ?2 AND ?3 ORDER BY sequence";

/// The same. (With RETURNING, SQLite makes a temporary table for each.)
inline constexpr auto remove_reserved
  = "DELETE FROM reserved WHERE owner = ?1 AND sequence BETWEEN ?2 AND ?3";

inline constexpr auto reserved_message
  = "SELECT message FROM reserved WHERE owner = ?1 AND sequence = ?2";

inline constexpr auto is_reserved
  = "SELECT 1 FROM reserved WHERE owner = ?1 AND sequence = ?2";

/// Owner, sequence, now.
inline constexpr auto renew_reserved
  = "UPDATE reserved SET since = ?3 WHERE owner = ?1 AND sequence = ?2";

/// Owner, sequence, how many. What the owner reserved from this number on.
inline constexpr auto reserved_since
  = "SELECT r.sequence, r.message, m.queue, m.payload"
    " FROM reserved r JOIN message m ON m.id = r.message"
    " WHERE r.owner = ?1 AND r.sequence >= ?2 ORDER BY r.sequence LIMIT ?3";

/// Owner, now, how many. Nothing if its lease runs again. What was reserved last
/// comes first.
inline constexpr auto reserved_of_owner
  = "SELECT owner, sequence, message FROM reserved WHERE owner = ?1 AND EXISTS"
    " (SELECT 1 FROM owner WHERE id = ?1 AND lease <= ?2)"
    " ORDER BY sequence DESC LIMIT ?3";

/// A time, a name, how many. What was neither reserved nor renewed after the time,
/// by others than that owner.
inline constexpr auto reserved_before
  = "SELECT r.owner, r.sequence, r.message"
    " FROM reserved r JOIN owner o ON o.id = r.owner"
    " WHERE r.since <= ?1 AND o.name <> ?2"
    " ORDER BY r.owner, r.sequence DESC LIMIT ?3";

// -- what waits to be due -----------------------------------------------------

/// Time, message.
inline constexpr auto add_delayed
  = "INSERT INTO delayed (due, message) VALUES (?1, ?2)";

inline constexpr auto first_due
  = "SELECT due FROM delayed ORDER BY due LIMIT 1";

/// Now, how many. The earliest first.
inline constexpr auto due_messages
  = "SELECT due, message FROM delayed WHERE due <= ?1"
    " ORDER BY due, message LIMIT ?2";

/// Time and message up to which all have been forwarded.
inline constexpr auto take_delayed
  = "DELETE FROM delayed WHERE (due, message) <= (?1, ?2)";

// -- settling without a fence -------------------------------------------------

/// Tag, now. No change if it is known.
inline constexpr auto add_published
  = "INSERT OR IGNORE INTO published (tag, at) VALUES (?1, ?2)";

/// A time. Two for each new one: they cannot pile up.
inline constexpr auto forget_published
  = "DELETE FROM published WHERE at < ?1 AND number IN"
    " (SELECT number FROM published ORDER BY number LIMIT 2)";

// -- dead letters -------------------------------------------------------------

/// Queue, now, reason, payload. The number.
inline constexpr auto add_dead
  = "INSERT INTO dead (queue, number, at, reason, payload) VALUES (?1,"
    " (SELECT coalesce(max(number), 0) + 1 FROM dead WHERE queue = ?1),"
    " ?2, ?3, ?4) RETURNING number";

/// Queue, number. Those up to there go.
inline constexpr auto trim_dead
  = "DELETE FROM dead WHERE queue = ?1 AND number <= ?2";

/// Queue, how many.
inline constexpr auto newest_dead
  = "SELECT reason, payload, number, at FROM dead WHERE queue = ?1"
    " ORDER BY number DESC LIMIT ?2";

inline constexpr auto dead_queues
  = "SELECT DISTINCT queue FROM dead ORDER BY queue";

/// Queue. The oldest first.
inline constexpr auto all_dead
  = "SELECT number, at FROM dead WHERE queue = ?1 ORDER BY number";

/// Queue, number.
inline constexpr auto dead_payload
  = "SELECT payload FROM dead WHERE queue = ?1 AND number = ?2";

inline constexpr auto remove_dead
  = "DELETE FROM dead WHERE queue = ?1 AND number = ?2";

// -- revocations ---------------------------------------------------------------

/// From version 1 of the tables.
inline constexpr auto upgrade_to_2
  = "CREATE TABLE IF NOT EXISTS revoked"
    " (id TEXT PRIMARY KEY, at INTEGER NOT NULL)"
    " WITHOUT ROWID";

/// Nothing was ever kept in the tables that go.
inline constexpr auto upgrade_to_3
  = "DROP TABLE chord;"
    "DROP TABLE chord_part;"
    "CREATE TABLE chord"
    " (id TEXT PRIMARY KEY, size INTEGER, last TEXT, expires INTEGER)"
    " WITHOUT ROWID;"
    "CREATE INDEX chord_expires ON chord (expires) WHERE expires IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS result_group_expires ON result_group (expires)"
    " WHERE expires IS NOT NULL;"
    "CREATE TABLE chord_part"
    " (chord TEXT NOT NULL, place INTEGER NOT NULL, task TEXT NOT NULL,"
    " state TEXT NOT NULL, result TEXT NOT NULL,"
    " PRIMARY KEY (chord, place, task)) WITHOUT ROWID;"
    "DROP TABLE IF EXISTS chord_joined;"
    "CREATE TABLE chord_joined (chord TEXT NOT NULL, task TEXT NOT NULL,"
    " PRIMARY KEY (chord, task)) WITHOUT ROWID";

/// Id, time. The later of two times stays.
inline constexpr auto add_revoked
  = "INSERT INTO revoked (id, at) VALUES (?1, ?2)"
    " ON CONFLICT (id) DO UPDATE SET at = max(at, excluded.at)";

/// A time, how many. Those that are older, and more than so many, go.
inline constexpr auto trim_revoked
  = "DELETE FROM revoked WHERE at < ?1 OR id NOT IN"
    " (SELECT id FROM revoked ORDER BY at DESC LIMIT ?2)";

inline constexpr auto count_revoked = "SELECT count(*) FROM revoked";

/// A time. What was revoked since, the oldest first.
inline constexpr auto revoked_since
  = "SELECT id, at FROM revoked WHERE at >= ?1 ORDER BY at, id";

// -- exchanges ----------------------------------------------------------------

/// Exchange, key, topic, queue.
inline constexpr auto bind
  = "INSERT OR IGNORE INTO binding (exchange, key, topic, queue)"
    " VALUES (?1, ?2, ?3, ?4)";

inline constexpr auto bindings
  = "SELECT key, topic, queue FROM binding WHERE exchange = ?1";

inline constexpr auto all_bindings
  = "SELECT queue, exchange, key FROM binding ORDER BY exchange, queue, key";

/// Exchange, payload. The number.
inline constexpr auto add_broadcast
  = "INSERT INTO broadcast (exchange, number, payload) VALUES (?1,"
    " (SELECT coalesce(max(number), 0) + 1 FROM broadcast WHERE exchange = ?1),"
    " ?2) RETURNING number";

/// Exchange, number. Those up to there go.
inline constexpr auto trim_broadcast
  = "DELETE FROM broadcast WHERE exchange = ?1 AND number <= ?2";

/// What is in mailboxes whose owners are gone: nobody opens them again.
inline constexpr auto remove_closed_mailboxes
  = "DELETE FROM broadcast WHERE exchange LIKE 'reply.%/%' AND exchange NOT IN"
    " (SELECT exchange FROM subscriber)";

inline constexpr auto last_broadcast
  = "SELECT coalesce(max(number), 0) FROM broadcast WHERE exchange = ?1";

/// Exchange, the last number that was read.
inline constexpr auto next_broadcast
  = "SELECT number, payload FROM broadcast WHERE exchange = ?1 AND number > ?2"
    " ORDER BY number LIMIT 1";

/// Exchange, end of its lease. The id.
inline constexpr auto add_subscriber
  = "INSERT INTO subscriber (exchange, lease) VALUES (?1, ?2) RETURNING id";

/// Id, end of its lease.
inline constexpr auto renew_subscriber
  = "UPDATE subscriber SET lease = ?2 WHERE id = ?1";

/// Id, exchange, end of its lease: for one that was taken for dead.
inline constexpr auto restore_subscriber
  = "INSERT INTO subscriber (id, exchange, lease) VALUES (?1, ?2, ?3)";

inline constexpr auto remove_subscriber
  = "DELETE FROM subscriber WHERE id = ?1";

/// Now.
inline constexpr auto remove_dead_subscribers
  = "DELETE FROM subscriber WHERE lease <= ?1";

/// Exchange, now.
inline constexpr auto count_subscribers
  = "SELECT count(*) FROM subscriber WHERE exchange = ?1 AND lease > ?2";

// -- rate limits --------------------------------------------------------------

inline constexpr auto rate_of = "SELECT free, line FROM rate WHERE name = ?1";

/// Name, free, line.
inline constexpr auto set_rate
  = "INSERT INTO rate (name, free, line) VALUES (?1, ?2, ?3)"
    " ON CONFLICT (name) DO UPDATE SET free = excluded.free,"
    " line = excluded.line";

/// Now. Those that say no more than a new one.
inline constexpr auto remove_idle_rates
  = "DELETE FROM rate WHERE free <= ?1 AND line <= ?1";

// -- results ------------------------------------------------------------------

/// Id, now. A stored success stays until it expires.
inline constexpr auto make_way_for_result
  = "DELETE FROM result WHERE id = ?1 AND (success = 0 OR expires <= ?2)";

/// Id, success, expires, document. No change if a success is stored.
inline constexpr auto add_result
  = "INSERT INTO result (id, success, expires, document)"
    " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO NOTHING";

/// Id, now.
inline constexpr auto result_document
  = "SELECT document FROM result WHERE id = ?1"
    " AND (expires IS NULL OR expires > ?2)";

inline constexpr auto remove_result = "DELETE FROM result WHERE id = ?1";

/// Now, how many.
inline constexpr auto remove_expired
  = "DELETE FROM result WHERE number IN (SELECT number FROM result"
    " WHERE expires <= ?1 ORDER BY expires LIMIT ?2)";

// -- groups and chords ------------------------------------------------------------

/// Id, expires, document.
inline constexpr auto save_group
  = "INSERT INTO result_group (id, expires, document) VALUES (?1, ?2, ?3)"
    " ON CONFLICT (id) DO UPDATE"
    " SET expires = excluded.expires, document = excluded.document";

/// Id, now.
inline constexpr auto saved_group
  = "SELECT document FROM result_group WHERE id = ?1"
    " AND (expires IS NULL OR expires > ?2)";

inline constexpr auto remove_group = "DELETE FROM result_group WHERE id = ?1";

/// Now, how many.
inline constexpr auto sweep_groups
  = "DELETE FROM result_group WHERE id IN (SELECT id FROM result_group"
    " WHERE expires <= ?1 LIMIT ?2)";

/// Id, size, expires.
inline constexpr auto set_chord_size
  = "INSERT INTO chord (id, size, expires) VALUES (?1, CAST(?2 AS INTEGER), ?3)"
    " ON CONFLICT (id) DO UPDATE"
    " SET size = excluded.size, expires = excluded.expires";

/// Id, expires.
inline constexpr auto begin_chord
  = "INSERT INTO chord (id, expires) VALUES (?1, ?2)"
    " ON CONFLICT (id) DO UPDATE SET expires = excluded.expires";

/// Chord, place, task, state, result. What has succeeded stays so.
inline constexpr auto count_part
  = "INSERT INTO chord_part (chord, place, task, state, result)"
    " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (chord, place, task) DO UPDATE"
    " SET state = excluded.state, result = excluded.result"
    " WHERE state != 'SUCCESS'";

/// Id. A row if all parts are there.
inline constexpr auto is_complete
  = "SELECT 1 FROM chord WHERE id = ?1 AND size IS NOT NULL"
    " AND size + (SELECT count(*) FROM chord_joined WHERE chord = ?1)"
    " <= (SELECT count(*) FROM chord_part WHERE chord = ?1)";

/// Chord, task.
inline constexpr auto join_chord
  = "INSERT OR IGNORE INTO chord_joined (chord, task) VALUES (?1, ?2)";

/// Id, task. No change if another one was the last.
inline constexpr auto claim_chord
  = "UPDATE chord SET last = ?2 WHERE id = ?1 AND (last IS NULL OR last = ?2)";

/// Id, task. A row if its part was the last.
inline constexpr auto was_last
  = "SELECT 1 FROM chord WHERE id = ?1 AND last = ?2";

inline constexpr auto parts_of_chord
  = "SELECT task, state, result FROM chord_part WHERE chord = ?1"
    " ORDER BY place, task";

inline constexpr auto remove_chord = "DELETE FROM chord WHERE id = ?1";

inline constexpr auto remove_chord_parts
  = "DELETE FROM chord_part WHERE chord = ?1";

inline constexpr auto remove_chord_joined
  = "DELETE FROM chord_joined WHERE chord = ?1";

/// Now, how many.
inline constexpr auto sweep_chord_parts
  = "DELETE FROM chord_part WHERE chord IN (SELECT id FROM chord"
    " WHERE expires <= ?1 ORDER BY expires, id LIMIT ?2)";

inline constexpr auto sweep_chord_joined
  = "DELETE FROM chord_joined WHERE chord IN (SELECT id FROM chord"
    " WHERE expires <= ?1 ORDER BY expires, id LIMIT ?2)";

inline constexpr auto sweep_chords
  = "DELETE FROM chord WHERE id IN (SELECT id FROM chord"
    " WHERE expires <= ?1 ORDER BY expires, id LIMIT ?2)";

// -- those who wait for results ---------------------------------------------------

inline constexpr auto last_result
  = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'result'";

/// A number. What was stored after it.
inline constexpr auto results_after
  = "SELECT number, id, document FROM result WHERE number > ?1 ORDER BY number";

} // namespace umbel::sqlite::sql
