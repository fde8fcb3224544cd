-- File descriptors through time.

-- The rows of fd_change, those of an fd one after the other: what was before and comes next is at the next
-- place. That takes a tenth of the time of a window.
--   place, row (fd_change.rowid), process, fd, snapshot, change
CREATE TABLE _fd_row (
  place INTEGER PRIMARY KEY, row INTEGER, process INTEGER, fd INTEGER, snapshot INTEGER, change INTEGER
);
INSERT INTO _fd_row
SELECT NULL, rowid, process, fd, snapshot, change FROM fd_change ORDER BY process, fd, snapshot;

-- The recordings in which the fds of a process were read, each with the one before.
CREATE TABLE _fd_looked AS
SELECT process, recording, lag(recording) OVER (PARTITION BY process ORDER BY recording) AS before
FROM (SELECT DISTINCT f.process, r.id AS recording
      FROM _fd_read_span f
      JOIN recording r ON r.first_snapshot <= f.last_snapshot AND r.last_snapshot >= f.first_snapshot);
CREATE UNIQUE INDEX _fd_looked_by_process ON _fd_looked (process, recording);

-- Where an fd was opened or closed: up to the next one all rows are of one file.
--   place              _fd_row.place
--   starts             1: opened; 0: closed
CREATE TABLE _fd_edge (id INTEGER PRIMARY KEY, place INTEGER, starts INTEGER);
INSERT INTO _fd_edge
SELECT NULL, r.place, r.change <> 0
FROM _fd_row r
LEFT JOIN _fd_row b ON b.place = r.place - 1 AND b.process = r.process AND b.fd = r.fd
WHERE r.change <= 1 OR b.place IS NULL OR b.change = 0
  -- A keyframe repeats what is there; that of a later recording may find something else, and a
  -- recording in between that looked and has no row of it did not find it.
  OR (r.change = 3 AND EXISTS (
    SELECT 1
    FROM fd_change now, fd_change previous, snapshot s, snapshot previous_s
    WHERE now.rowid = r.row AND previous.rowid = b.row AND s.id = r.snapshot AND previous_s.id = b.snapshot
      AND (now.link_type IS NOT previous.link_type OR now.link_number IS NOT previous.link_number
        OR now.link_text IS NOT previous.link_text OR (SELECT previous_s.recording < l.before
          FROM _fd_looked l WHERE l.process = r.process AND l.recording = s.recording))))
ORDER BY r.place;

-- A file descriptor from opening to closing: one process, one number, one file behind it.
--   id
--   process            process.id
--   fd
--   first_snapshot     the first snapshot that lists it
--   last_snapshot      the last
--   was_opened         1: the snapshot before did not list it, so it was opened in between;
--                      0: it was there when the process was first looked at, and may be old
--   closed_by          the next snapshot in which the process's fds were read, or the process was gone;
--                      NULL: it was open when last looked
--   kind               socket, pipe, file, deleted-file, directory, char-device, ..., eventpoll, ...;
--                      unread: its link could not be read, so nothing is known of what it is
--   target             what the link says: `socket:[94859722]`, `/var/log/x`; NULL: unreadable
--   socket_inode       of a socket, else NULL
--   protocol           of a socket: the kernel's name; NULL: not told
--   flags, mount_id, inode, link_count   as in the archive, at the end
CREATE TABLE fd_span (
  id INTEGER PRIMARY KEY, process INTEGER, fd INTEGER, first_snapshot INTEGER, last_snapshot INTEGER,
  was_opened INTEGER, closed_by INTEGER, kind TEXT, target TEXT, socket_inode INTEGER, protocol TEXT,
  flags INTEGER, mount_id INTEGER, inode INTEGER, link_count INTEGER
);
INSERT INTO fd_span
WITH grouped AS (
  SELECT e.id, first.process, first.fd, first.row AS first_row, last.row AS last_row,
    first.snapshot AS first_row_snapshot, first.change AS first_change,
    min(coalesce(next.snapshot - 1, r.last_snapshot), r.last_snapshot) AS known_until
  FROM _fd_edge e
  LEFT JOIN _fd_edge n ON n.id = e.id + 1
  JOIN _fd_row first ON first.place = e.place
  JOIN _fd_row last ON last.place = coalesce(n.place - 1, (SELECT max(place) FROM _fd_row))
  LEFT JOIN _fd_row next ON next.place = last.place + 1 AND next.process = last.process AND next.fd = last.fd
  JOIN snapshot s ON s.id = last.snapshot
  JOIN recording r ON r.id = s.recording
  WHERE e.starts
  LIMIT -1  -- works each column out once, not again wherever it is named
), listed AS (
  SELECT g.*,
    coalesce((SELECT max(r.first_snapshot, g.first_row_snapshot) FROM _fd_read_span r
              WHERE r.process = g.process AND r.last_snapshot >= g.first_row_snapshot
              ORDER BY r.first_snapshot LIMIT 1), g.first_row_snapshot) AS first_snapshot,
    (SELECT min(r.last_snapshot, g.known_until) FROM _fd_read_span r
     WHERE r.process = g.process AND r.first_snapshot <= g.known_until
     ORDER BY r.first_snapshot DESC LIMIT 1) AS last_snapshot
  FROM grouped g
  LIMIT -1  -- works each column out once, not again wherever it is named
)
SELECT NULL, l.process, l.fd, l.first_snapshot, l.last_snapshot, l.first_change = 1,
  min(coalesce((SELECT max(r.first_snapshot, l.last_snapshot + 1) FROM _fd_read_span r
                WHERE r.process = l.process AND r.last_snapshot > l.last_snapshot
                ORDER BY r.first_snapshot LIMIT 1), p.ended_by),
      coalesce(p.ended_by, 9223372036854775807)),
  CASE
    WHEN c.link_type = 0 THEN 'unread'
    WHEN c.link_type = 1 THEN 'socket'
    WHEN c.link_type = 2 THEN 'pipe'
    WHEN c.link_text LIKE 'anon_inode:[%]' THEN substr(c.link_text, 13, length(c.link_text) - 13)
    WHEN c.link_text LIKE 'anon_inode:%' THEN substr(c.link_text, 12)
    WHEN c.link_text LIKE 'pidfd:%' THEN 'pidfd'
    WHEN c.link_text LIKE '/memfd:%' AND c.file_type = 8 AND c.link_count = 0 THEN 'memfd'
    WHEN c.file_type = 8 AND c.link_count = 0 THEN 'deleted-file'
    WHEN c.file_type = 8 THEN 'file'
    WHEN c.file_type = 4 THEN 'directory'
    WHEN c.file_type = 2 THEN 'char-device'
    WHEN c.file_type = 6 THEN 'block-device'
    WHEN c.file_type = 1 THEN 'fifo'
    ELSE 'other'
  END,
  CASE c.link_type WHEN 1 THEN printf('socket:[%d]', c.link_number)
    WHEN 2 THEN printf('pipe:[%d]', c.link_number) ELSE c.link_text END,
  CASE c.link_type WHEN 1 THEN c.link_number END, c.protocol, c.flags, c.mount_id, c.inode, c.link_count
FROM listed l
JOIN fd_change c ON c.rowid = l.last_row
JOIN processes p ON p.process = l.process
WHERE l.last_snapshot >= l.first_snapshot
ORDER BY l.id;
DROP TABLE _fd_edge;
DROP TABLE _fd_row;
DROP TABLE _fd_looked;
CREATE INDEX _fd_span_by_process ON fd_span (process, fd, first_snapshot);
CREATE INDEX _fd_span_by_socket ON fd_span (socket_inode) WHERE socket_inode IS NOT NULL;

-- How many fds a process had, at each snapshot in which that number, or the limit, changed, and at the
-- last. Between two rows nothing changed.
--   process, snapshot, fds
--   soft_limit, hard_limit   of open files; NULL: unlimited, or unread
CREATE TABLE fd_count AS
WITH event AS (
  SELECT process, first_snapshot AS snapshot, 1 AS delta FROM fd_span
  UNION ALL
  SELECT f.process, f.closed_by, -1 FROM fd_span f JOIN processes p USING (process)
  WHERE f.closed_by IS NOT NULL AND f.closed_by IS NOT p.ended_by
  UNION ALL
  SELECT process, first_snapshot, 0 FROM _fd_read_span
  UNION ALL
  SELECT process, last_snapshot, 0 FROM _fd_read_span
  UNION ALL
  SELECT process, first_snapshot, 0 FROM limit_span WHERE resource = 'Max open files'
  UNION ALL
  SELECT process, snapshot, opened - closed FROM _left_out WHERE what = 'kind'
), summed AS (
  SELECT process, snapshot, sum(sum(delta)) OVER (PARTITION BY process ORDER BY snapshot) AS fds
  FROM event
  GROUP BY process, snapshot
)
SELECT s.process, s.snapshot, s.fds, l.soft AS soft_limit, l.hard AS hard_limit
FROM summed s
JOIN _fd_read_span r ON r.process = s.process
  AND s.snapshot BETWEEN r.first_snapshot AND r.last_snapshot
LEFT JOIN limit_span l ON l.process = s.process AND l.resource = 'Max open files'
  AND s.snapshot BETWEEN l.first_snapshot AND l.last_snapshot;
CREATE INDEX _fd_count_by_process ON fd_count (process, snapshot);
