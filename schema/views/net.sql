-- The socket tables of network namespaces through time.

-- How a table was read: unbroken stretches of one status.
--   netns              netns.id
--   net_table          net_table_name.net_table
--   status             1 whole, 2 this kernel has none, 3 failed, 4 in part; stretches without any
--                      process through which it could be read are left out
--   first_snapshot, last_snapshot
CREATE TABLE net_table_span AS
WITH ordered AS (
  SELECT c.*, r.last_snapshot AS recording_last,
    lead(c.snapshot) OVER (PARTITION BY c.netns, c.net_table ORDER BY c.snapshot) AS next_snapshot
  FROM net_table_change c
  JOIN snapshot s ON s.id = c.snapshot
  JOIN recording r ON r.id = s.recording
)
SELECT netns, net_table, status, snapshot AS first_snapshot,
  min(coalesce(next_snapshot - 1, recording_last), recording_last) AS last_snapshot
FROM ordered
WHERE status <> 0;
CREATE INDEX _net_table_span_by_table ON net_table_span (netns, net_table, first_snapshot);
CREATE INDEX _net_table_span_by_status ON net_table_span (netns, net_table, status, first_snapshot);
CREATE INDEX _net_table_span_by_end ON net_table_span (netns, net_table, status, last_snapshot);

-- Unbroken stretches in which a table was looked after, read or not: what it listed is known through all
-- of such a stretch, or to the end of the recording, and nothing is known between two.
CREATE TABLE _net_life AS
WITH marked AS (
  SELECT *, first_snapshot IS NOT 1 + lag(last_snapshot)
      OVER (PARTITION BY netns, net_table ORDER BY first_snapshot) AS starts
  FROM net_table_span
), numbered AS (
  SELECT *, sum(starts) OVER (PARTITION BY netns, net_table ORDER BY first_snapshot) AS life
  FROM marked
)
SELECT netns, net_table, min(first_snapshot) AS first_snapshot, max(last_snapshot) AS last_snapshot
FROM numbered
GROUP BY netns, net_table, life;
CREATE INDEX _net_life_by_table ON _net_life (netns, net_table, first_snapshot);

-- Unbroken stretches in which both tcp and tcp6 of a namespace were read whole (or do not exist): only
-- of these snapshots can be said that no TCP table of it lists a socket.
CREATE TABLE _tcp_read_span AS
WITH both AS (
  SELECT a.netns, max(a.first_snapshot, b.first_snapshot) AS first_snapshot,
    min(a.last_snapshot, b.last_snapshot) AS last_snapshot
  FROM net_table_span a
  JOIN net_table_span b ON b.netns = a.netns AND b.net_table = 2 AND b.status IN (1, 2)
    AND b.first_snapshot <= a.last_snapshot AND b.last_snapshot >= a.first_snapshot
  WHERE a.net_table = 1 AND a.status IN (1, 2) AND NOT (a.status = 2 AND b.status = 2)
), marked AS (
  SELECT *, first_snapshot IS NOT 1 + lag(last_snapshot)
      OVER (PARTITION BY netns ORDER BY first_snapshot) AS starts
  FROM both
), numbered AS (
  SELECT *, sum(starts) OVER (PARTITION BY netns ORDER BY first_snapshot) AS stretch
  FROM marked
)
SELECT netns, min(first_snapshot) AS first_snapshot, max(last_snapshot) AS last_snapshot
FROM numbered
GROUP BY netns, stretch;
CREATE INDEX _tcp_read_span_by_netns ON _tcp_read_span (netns, first_snapshot);

-- These snapshots one by one.
CREATE TABLE _tcp_read AS
SELECT r.netns, s.id AS snapshot
FROM _tcp_read_span r
JOIN snapshot s ON s.id BETWEEN r.first_snapshot AND r.last_snapshot;
CREATE UNIQUE INDEX _tcp_read_by_netns ON _tcp_read (netns, snapshot);

-- When they were read of the namespace that a process lived in.   process, first_snapshot, last_snapshot
CREATE TABLE _own_tcp_read_span AS
SELECT p.process, max(p.first_snapshot, r.first_snapshot) AS first_snapshot,
  min(p.last_snapshot, r.last_snapshot) AS last_snapshot
FROM process_span p
JOIN _tcp_read_span r ON r.netns = p.netns AND r.first_snapshot <= p.last_snapshot
  AND r.last_snapshot >= p.first_snapshot;
CREATE INDEX _own_tcp_read_span_by_start ON _own_tcp_read_span (process, first_snapshot);
CREATE INDEX _own_tcp_read_span_by_end ON _own_tcp_read_span (process, last_snapshot);

-- The rows of inet_change, those of a row of a table one after the other, as _fd_row, and one more with
-- change 0 where inet_gone ends it.
--   place, row (inet_change.rowid), netns, net_table, inode, local, remote, snapshot, change, state
--   life, life_last    the first and last snapshot of its _net_life; NULL: it is in none, or change is 0
CREATE TABLE _inet_row (
  place INTEGER PRIMARY KEY, row INTEGER, netns INTEGER, net_table INTEGER, inode INTEGER, local TEXT,
  remote TEXT, snapshot INTEGER, change INTEGER, state INTEGER, life INTEGER, life_last INTEGER
);
INSERT INTO _inet_row
SELECT NULL, c.row, c.netns, c.net_table, c.inode, c.local, c.remote, c.snapshot, c.change, c.state,
  l.first_snapshot, l.last_snapshot
FROM (
  SELECT rowid AS row, netns, net_table, inode, local, remote, snapshot, change, state FROM inet_change
  UNION ALL
  SELECT NULL, netns, net_table, inode, local, remote, gone, 0, NULL
  FROM (
    SELECT t.*,
      (SELECT min(g.snapshot) FROM inet_gone g WHERE g.inode = t.inode AND g.snapshot > t.snapshot) AS gone
    FROM inet_change t
    WHERE t.change <> 0 AND t.inode <> 0
    LIMIT -1  -- works each column out once, not again wherever it is named
  )
  WHERE gone IS NOT NULL
) c
LEFT JOIN _net_life l ON c.change <> 0 AND l.netns = c.netns AND l.net_table = c.net_table
  AND c.snapshot BETWEEN l.first_snapshot AND l.last_snapshot
ORDER BY c.netns, c.net_table, c.inode, c.local, c.remote, c.snapshot;

-- Where a row appeared, changed its state or went, as _fd_edge.   id, place, starts
CREATE TABLE _inet_edge (id INTEGER PRIMARY KEY, place INTEGER, starts INTEGER);
INSERT INTO _inet_edge
SELECT NULL, r.place, r.change <> 0
FROM _inet_row r
LEFT JOIN _inet_row b ON b.place = r.place - 1 AND b.inode = r.inode AND b.remote = r.remote
  AND b.local = r.local AND b.net_table = r.net_table AND b.netns = r.netns
WHERE r.change = 0 OR (r.life IS NOT NULL AND (r.change = 1 OR b.place IS NULL OR b.change = 0
  OR r.state IS NOT b.state OR b.snapshot < r.life))
ORDER BY r.place;

-- Whether a row with change 3 tells that it was seen. A keyframe also repeats what nobody saw, because the
-- table could not be read; not so the first snapshot of a recording, which has nothing to repeat.
--   id (snapshot.id), recording, is_telling
CREATE TABLE _telling (id INTEGER PRIMARY KEY, recording INTEGER, is_telling INTEGER);
INSERT INTO _telling
SELECT id, recording, NOT keyframe OR previous_commit_us IS NULL FROM snapshot;

-- A row of an Internet socket table as long as its state stayed the same.
--   netns              netns.id
--   net_table          1 tcp, 2 tcp6, ...
--   inode              0: nobody owns it
--   local, remote      `192.0.2.7:9091`, `[::ffff:192.0.2.7]:9091`
--   local_port, remote_port
--   state              tcp_state.state, for every protocol
--   uid
--   first_snapshot     the first snapshot that lists it so
--   last_snapshot      the last that does; those in between that could not read the table are part of it
--   known_until        the last before it is known to have gone or changed: after last_snapshot the table
--                      was not read whole
CREATE TABLE inet_span AS
WITH bounded AS (
  SELECT e.id, e.place, coalesce(n.place - 1, (SELECT max(place) FROM _inet_row)) AS end
  FROM _inet_edge e
  LEFT JOIN _inet_edge n ON n.id = e.id + 1
  WHERE e.starts
), closed AS (
  -- Most are of one row.
  SELECT *, iif(place = end, place, (SELECT max(r.place) FROM _inet_row r
    WHERE r.place BETWEEN bounded.place AND bounded.end AND r.life IS NOT NULL)) AS last_place
  FROM bounded
), stretch AS (
  SELECT c.id, f.row, f.netns, f.net_table, f.inode, f.local, f.remote, f.state,
    f.snapshot AS known_from,
    -- What is still there when another recording starts is repeated in its first snapshot.
    min(coalesce(x.snapshot - 1, l.life_last), l.life_last, r.last_snapshot) AS known_until,
    iif(c.place = c.last_place, iif(f.change <> 3 OR s.is_telling, f.snapshot, NULL),
      (SELECT min(y.snapshot) FROM _inet_row y JOIN _telling t ON t.id = y.snapshot
       WHERE y.place BETWEEN c.place AND c.last_place AND y.life IS NOT NULL
         AND (y.change <> 3 OR t.is_telling))) AS first_seen,
    iif(c.place = c.last_place, iif(f.change <> 3 OR s.is_telling, f.snapshot, NULL),
      (SELECT max(y.snapshot) FROM _inet_row y JOIN _telling t ON t.id = y.snapshot
       WHERE y.place BETWEEN c.place AND c.last_place AND y.life IS NOT NULL
         AND (y.change <> 3 OR t.is_telling))) AS last_seen,
    iif(c.place = c.last_place, NULL, (SELECT max(z.uid) FROM _inet_row y JOIN inet_change z ON z.rowid = y.row
       WHERE y.place BETWEEN c.place AND c.last_place AND y.life IS NOT NULL)) AS uid
  FROM closed c
  JOIN _inet_row f ON f.place = c.place
  JOIN _inet_row l ON l.place = c.last_place
  LEFT JOIN _inet_row x ON x.place = c.last_place + 1 AND x.inode = f.inode AND x.remote = f.remote
    AND x.local = f.local AND x.net_table = f.net_table AND x.netns = f.netns
  JOIN _telling s ON s.id = l.snapshot
  JOIN recording r ON r.id = s.recording
  LIMIT -1  -- works each column out once, not again wherever it is named
), seen AS (
  -- A table that was read whole lists all that has no Gone row.
  SELECT s.*,
    iif(first_seen = known_from, NULL, (SELECT max(z.first_snapshot, s.known_from)
      FROM net_table_span z WHERE z.netns = s.netns AND z.net_table = s.net_table AND z.status = 1
        AND z.last_snapshot >= s.known_from ORDER BY z.last_snapshot LIMIT 1)) AS first_whole,
    (SELECT min(z.last_snapshot, s.known_until) FROM net_table_span z
     WHERE z.netns = s.netns AND z.net_table = s.net_table AND z.status = 1
       AND z.first_snapshot <= s.known_until ORDER BY z.first_snapshot DESC LIMIT 1) AS last_whole
  FROM stretch s
  LIMIT -1  -- works each column out once, not again wherever it is named
), listed AS (
  SELECT *, min(coalesce(first_seen, first_whole), coalesce(first_whole, first_seen)) AS first_snapshot,
    max(coalesce(last_seen, last_whole), coalesce(last_whole, last_seen)) AS last_snapshot
  FROM seen
)
SELECT l.netns, l.net_table, l.inode, l.local, c.local_port, l.remote, c.remote_port, l.state,
  coalesce(l.uid, c.uid) AS uid, l.first_snapshot, l.last_snapshot, l.known_until
FROM listed l
JOIN inet_change c ON c.rowid = l.row
WHERE l.first_snapshot <= l.last_snapshot
ORDER BY l.id;
DROP TABLE _inet_edge;
DROP TABLE _inet_row;
DROP TABLE _telling;
CREATE INDEX _inet_span_by_inode ON inet_span (inode, first_snapshot);
CREATE INDEX _inet_span_by_state ON inet_span (net_table, state, local_port);

-- The queues of a listed socket as long as they stayed the same; sockets whose queues were always empty
-- have no row.
--   netns, net_table, inode
--   tx_queue, rx_queue, timer, retransmits, probes, drops   as in the archive
--   first_snapshot, last_snapshot   the stretch; beyond the socket's own last snapshot it means nothing
CREATE TABLE inet_queue_span AS
SELECT c.netns, c.net_table, c.inode, c.tx_queue, c.rx_queue, c.timer, c.retransmits, c.probes,
  c.drops, c.snapshot AS first_snapshot,
  min(coalesce(lead(c.snapshot) OVER (PARTITION BY c.netns, c.net_table, c.inode ORDER BY c.snapshot)
                 - 1, r.last_snapshot), r.last_snapshot,
      -- The number may come back with another socket.
      coalesce((SELECT min(g.snapshot) - 1 FROM inet_change g
                WHERE g.inode = c.inode AND g.change = 0 AND g.netns = c.netns
                  AND g.net_table = c.net_table AND g.snapshot > c.snapshot), r.last_snapshot),
      coalesce((SELECT min(g.snapshot) - 1 FROM inet_gone g
                WHERE g.inode = c.inode AND g.snapshot > c.snapshot), r.last_snapshot))
    AS last_snapshot
FROM inet_queue_change c
JOIN snapshot s ON s.id = c.snapshot
JOIN recording r ON r.id = s.recording;
CREATE INDEX _inet_queue_span_by_inode ON inet_queue_span (inode, net_table);

-- What lists a socket that is not in an Internet table: its inode and the table.
--   name, type         of unix
--   first_snapshot, last_snapshot   between which it was listed, not always all the time
CREATE TABLE _other_listing AS
WITH change AS (
  SELECT snapshot, netns, change, inode, 11 AS net_table, nullif(path, '') AS name, type FROM unix_change
  UNION ALL
  SELECT snapshot, netns, change, inode, 12, NULL, NULL FROM netlink_change
  UNION ALL
  SELECT snapshot, netns, change, inode, 13, NULL, NULL FROM packet_change
)
SELECT netns, net_table, inode, name, type, min(snapshot) AS first_snapshot,
  -- Unless the last row says that it has gone, it is there to the end.
  iif(coalesce(max(iif(change = 0, snapshot, NULL)), 0) > coalesce(max(iif(change <> 0, snapshot, NULL)), 0),
      max(iif(change = 0, snapshot, NULL)) - 1, (SELECT max(id) FROM snapshot)) AS last_snapshot
FROM change
WHERE inode <> 0
GROUP BY netns, net_table, inode, name, type;
CREATE INDEX _other_listing_by_inode ON _other_listing (inode);
