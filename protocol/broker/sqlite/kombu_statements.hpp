// The SQL on the queues of kombu's SQLAlchemy transport (kombu_schema.sql): rows that
// are visible wait. kombu takes them in the order of their time stamps, which they have
// if somebody has made them visible again, and of their ids.
//
// A column of ours, `umbel_step`, has the step of a message's priority; null: nobody
// has looked yet. kombu names the columns that it reads and writes, and does not see it.
#pragma once

namespace umbel::sqlite::sql::kombu {

// -- the column ---------------------------------------------------------------

/// One row if kombu's tables are there.
inline constexpr auto has_tables
  = "SELECT 1 FROM sqlite_schema WHERE type = 'table'"
    " AND name = 'kombu_message'";

/// One row if they have our column.
inline constexpr auto has_step
  = "SELECT 1 FROM pragma_table_info('kombu_message')"
    " WHERE name = 'umbel_step'";

inline constexpr auto add_step
  = "ALTER TABLE kombu_message ADD COLUMN umbel_step INTEGER";

/// What waits in one queue, whatever waits in others. "visible = 1", not "visible != 0"
/// as kombu writes it: so SQLite does not take it for kombu's own query, which it
/// would slow down.
inline constexpr auto add_index
  = "CREATE INDEX IF NOT EXISTS umbel_waiting ON kombu_message"
    " (queue_id, umbel_step, timestamp, id) WHERE visible = 1";

// -- looking ------------------------------------------------------------------

/// Queue. One row if something waits in it.
inline constexpr auto any_waiting
  = "SELECT 1 FROM kombu_message INDEXED BY umbel_waiting WHERE visible = 1"
    " AND queue_id = (SELECT id FROM kombu_queue WHERE name = ?1) LIMIT 1";

/// Queue, how many. Id and priority of those without a step.
inline constexpr auto without_step
  = "SELECT id, CASE WHEN json_valid(payload) THEN"
    "  CAST(json_extract(payload, '$.properties.priority') AS INTEGER) END"
    " FROM kombu_message WHERE visible = 1 AND umbel_step IS NULL"
    " AND queue_id = (SELECT id FROM kombu_queue WHERE name = ?1)"
    " ORDER BY timestamp, id LIMIT ?2";

/// Id, step.
inline constexpr auto set_step
  = "UPDATE kombu_message SET umbel_step = ?2 WHERE id = ?1";

/// Queue, how many. Step and id of what is consumed next.
inline constexpr auto next_waiting
  = "SELECT umbel_step, id FROM kombu_message"
    " WHERE visible = 1 AND umbel_step IS NOT NULL"
    " AND queue_id = (SELECT id FROM kombu_queue WHERE name = ?1)"
    " ORDER BY umbel_step, timestamp, id LIMIT ?2";

inline constexpr auto count_waiting
  = "SELECT count(*) FROM kombu_message INDEXED BY umbel_waiting"
    " WHERE visible = 1"
    " AND queue_id = (SELECT id FROM kombu_queue WHERE name = ?1)";

// -- taking -------------------------------------------------------------------

/// Id, queue, step. Copies it into `message`.
inline constexpr auto copy_out
  = "INSERT INTO message (queue, step, payload)"
    " SELECT ?2, ?3, payload FROM kombu_message WHERE id = ?1";

inline constexpr auto remove = "DELETE FROM kombu_message WHERE id = ?1";

/// Queue, how many.
inline constexpr auto remove_waiting
  = "DELETE FROM kombu_message WHERE id IN"
    " (SELECT id FROM kombu_message INDEXED BY umbel_waiting WHERE visible = 1"
    "  AND queue_id = (SELECT id FROM kombu_queue WHERE name = ?1) LIMIT ?2)";

// -- putting ------------------------------------------------------------------

/// Name. Nothing happens if it is there.
inline constexpr auto add_queue
  = "INSERT INTO kombu_queue (name) SELECT ?1"
    " WHERE NOT EXISTS (SELECT 1 FROM kombu_queue WHERE name = ?1)";

/// Queue, step, payload.
inline constexpr auto push
  = "INSERT INTO kombu_message (visible, payload, version, queue_id, umbel_step)"
    " VALUES (1, ?3, 1, (SELECT id FROM kombu_queue WHERE name = ?1), ?2)";

/// Queue, message. The message is copied out of `message`.
inline constexpr auto push_back
  = "INSERT INTO kombu_message (visible, payload, version, queue_id, umbel_step)"
    " SELECT 1, CAST(payload AS TEXT), 1,"
    "  (SELECT id FROM kombu_queue WHERE name = ?1), step"
    " FROM message WHERE id = ?2";

/// As above. An id before all others puts it before them for kombu, too.
inline constexpr auto push_front
  = "INSERT INTO kombu_message"
    " (id, visible, payload, version, queue_id, umbel_step)"
    " SELECT (SELECT coalesce(min(id), 1) - 1 FROM kombu_message),"
    "  1, CAST(payload AS TEXT), 1,"
    "  (SELECT id FROM kombu_queue WHERE name = ?1), step"
    " FROM message WHERE id = ?2";

} // namespace umbel::sqlite::sql::kombu
