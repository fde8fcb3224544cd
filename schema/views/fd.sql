-- File descriptors through time.

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
--   kind               socket, pipe, file, deleted-file, directory, char-device, ..., eventpoll, ...
--   target             what the link says: `socket:[94859722]`, `/var/log/x`; NULL: unreadable
--   socket_inode       of a socket, else NULL
--   protocol           of a socket: the kernel's name; NULL: not told
--   flags, mount_id, inode, link_count   as in the archive, at the end
CREATE TABLE fd_span AS
WITH looked AS (
  -- The recordings in which the fds of a process were read, each with the one before.
  SELECT process, recording, lag(recording) OVER (PARTITION BY process ORDER BY recording) AS before
  FROM (SELECT DISTINCT f.process, r.id AS recording
        FROM _fd_read_span f
        JOIN recording r ON r.first_snapshot <= f.last_snapshot AND r.last_snapshot >= f.first_snapshot)
), ordered AS (
  SELECT c.rowid AS row, c.*, r.last_snapshot AS recording_last, looked.before AS looked_before,
    lag(s.recording) OVER w AS previous_recording,
    lag(c.change) OVER w AS previous_change, lag(c.link_type) OVER w AS previous_type,
    lag(c.link_number) OVER w AS previous_number, lag(c.link_text) OVER w AS previous_text,
    lead(c.snapshot) OVER w AS next_snapshot
  FROM fd_change c
  JOIN snapshot s ON s.id = c.snapshot
  JOIN recording r ON r.id = s.recording
  LEFT JOIN looked ON looked.process = c.process AND looked.recording = s.recording
  WINDOW w AS (PARTITION BY c.process, c.fd ORDER BY c.snapshot)
), marked AS (
  -- A keyframe repeats what is there; that of a later recording may find something else, and a
  -- recording in between that looked and has no row of it did not find it.
  SELECT *,
    change = 1 OR coalesce(previous_change, 0) = 0 OR (change = 3 AND (
      previous_recording < looked_before OR
      link_type IS NOT previous_type OR link_number IS NOT previous_number
      OR link_text IS NOT previous_text)) AS starts
  FROM ordered
  WHERE change <> 0
), numbered AS (
  SELECT *, sum(starts) OVER (PARTITION BY process, fd ORDER BY snapshot) AS episode
  FROM marked
), grouped AS (
  SELECT process, fd, min(snapshot) AS first_row_snapshot, min(row) AS first_row, max(row) AS last_row,
    max(min(coalesce(next_snapshot - 1, recording_last), recording_last)) AS known_until
  FROM numbered
  GROUP BY process, fd, episode
), listed AS (
  SELECT g.*,
    coalesce((SELECT max(r.first_snapshot, g.first_row_snapshot) FROM _fd_read_span r
              WHERE r.process = g.process AND r.last_snapshot >= g.first_row_snapshot
              ORDER BY r.first_snapshot LIMIT 1), g.first_row_snapshot) AS first_snapshot,
    (SELECT min(r.last_snapshot, g.known_until) FROM _fd_read_span r
     WHERE r.process = g.process AND r.first_snapshot <= g.known_until
     ORDER BY r.first_snapshot DESC LIMIT 1) AS last_snapshot
  FROM grouped g
)
SELECT row_number() OVER (ORDER BY l.process, l.fd, l.first_snapshot) AS id, l.process, l.fd,
  l.first_snapshot, l.last_snapshot, opened.change = 1 AS was_opened,
  min(coalesce((SELECT max(r.first_snapshot, l.last_snapshot + 1) FROM _fd_read_span r
                WHERE r.process = l.process AND r.last_snapshot > l.last_snapshot
                ORDER BY r.first_snapshot LIMIT 1), p.ended_by),
      coalesce(p.ended_by, 9223372036854775807)) AS closed_by,
  CASE
    WHEN c.link_type = 0 THEN 'other'
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
  END AS kind,
  CASE c.link_type WHEN 1 THEN printf('socket:[%d]', c.link_number)
    WHEN 2 THEN printf('pipe:[%d]', c.link_number) ELSE c.link_text END AS target,
  -- The type makes its index of use: a column without one is compared with another's inode by a scan.
  CAST(CASE c.link_type WHEN 1 THEN c.link_number END AS INTEGER) AS socket_inode,
  c.protocol, c.flags, c.mount_id, c.inode, c.link_count
FROM listed l
JOIN fd_change c ON c.rowid = l.last_row
JOIN fd_change opened ON opened.rowid = l.first_row
JOIN processes p ON p.process = l.process
WHERE l.last_snapshot >= l.first_snapshot;
CREATE UNIQUE INDEX _fd_span_by_id ON fd_span (id);
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
