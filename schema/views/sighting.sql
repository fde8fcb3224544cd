-- What was seen of sockets: in which snapshots an fd, a table or the kernel itself told of them.
--
-- A socket's inode number is used again after it is closed. So two sightings of a number are taken for
-- the same socket only if a chain of sightings joins them: at each step the same fd of the same process,
-- or the same row of the same table, is seen from one to the other.

-- The life of a socket: the longest stretch of snapshots that such a chain covers.
--   inode, first_snapshot, last_snapshot
CREATE TABLE _socket_life (
  inode INTEGER, first_snapshot INTEGER, last_snapshot INTEGER, PRIMARY KEY (inode, first_snapshot)
) WITHOUT ROWID;
-- Nearly always all sightings of a number have a snapshot in common: then they are a chain.
CREATE TABLE _sighted_inode AS
SELECT inode, min(first_snapshot) AS first_snapshot, max(last_snapshot) AS last_snapshot,
  max(first_snapshot) <= min(last_snapshot) AS is_one
FROM (SELECT socket_inode AS inode, first_snapshot, last_snapshot FROM fd_span
      WHERE socket_inode IS NOT NULL
      UNION ALL
      SELECT inode, first_snapshot, last_snapshot FROM inet_span WHERE inode <> 0 AND net_table IN (1, 2))
GROUP BY inode;
INSERT INTO _socket_life
SELECT inode, first_snapshot, last_snapshot FROM _sighted_inode WHERE is_one;
INSERT INTO _socket_life
WITH sighting AS (
  SELECT i.inode, f.first_snapshot, f.last_snapshot
  FROM _sighted_inode i CROSS JOIN fd_span f ON f.socket_inode = i.inode
  WHERE NOT i.is_one
  UNION ALL
  -- One row in all its states is one sighting.
  SELECT inode, min(first_snapshot), max(last_snapshot) FROM (
    SELECT *, sum(starts) OVER (PARTITION BY netns, net_table, inode, local, remote
                                ORDER BY first_snapshot) AS stretch
    FROM (
      SELECT s.*, s.first_snapshot IS NOT 1 + lag(s.known_until) OVER (
          PARTITION BY s.netns, s.net_table, s.inode, s.local, s.remote ORDER BY s.first_snapshot) AS starts
      FROM _sighted_inode i CROSS JOIN inet_span s ON s.inode = i.inode
      WHERE NOT i.is_one AND i.inode <> 0 AND s.net_table IN (1, 2)
    )
  )
  GROUP BY netns, net_table, inode, local, remote, stretch
), marked AS (
  SELECT *, coalesce(first_snapshot > max(last_snapshot) OVER (
      PARTITION BY inode ORDER BY first_snapshot, last_snapshot
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 1) AS starts
  FROM sighting
), numbered AS (
  SELECT *, sum(starts) OVER (PARTITION BY inode ORDER BY first_snapshot, last_snapshot
                              ROWS UNBOUNDED PRECEDING) AS life
  FROM marked
)
SELECT inode, min(first_snapshot) AS first_snapshot, max(last_snapshot) AS last_snapshot
FROM numbered
GROUP BY inode, life;
DROP TABLE _sighted_inode;

-- What the kernel said of the socket behind an fd. An fd that was asked itself has its own answers, and
-- only those count: a socket of another process may have the same number at the same time. An fd without
-- any said the same as the one that is named. A repetition in a keyframe may name another holder.
--   id, autopsy (autopsy.rowid), snapshot
CREATE TABLE _asked AS
WITH heard AS (
  SELECT f.id, f.process, f.fd, f.socket_inode, f.first_snapshot, f.last_snapshot, a.rowid AS autopsy, a.snapshot,
    a.asked_at_ns, a.state, a.local, a.remote, a.process = f.process AND a.fd = f.fd AS is_own
  FROM autopsy a
  JOIN fd_span f ON f.socket_inode = a.inode AND a.snapshot BETWEEN f.first_snapshot AND f.last_snapshot
)
SELECT id, autopsy, snapshot
FROM heard h
WHERE is_own
  OR NOT EXISTS (SELECT 1 FROM autopsy o WHERE o.inode = h.socket_inode AND o.process = h.process AND o.fd = h.fd
    AND o.snapshot BETWEEN h.first_snapshot AND h.last_snapshot)
  OR EXISTS (SELECT 1 FROM autopsy o WHERE o.inode = h.socket_inode AND o.process = h.process AND o.fd = h.fd
    AND o.snapshot BETWEEN h.first_snapshot AND h.last_snapshot AND o.asked_at_ns = h.asked_at_ns
    AND o.state = h.state AND o.local IS h.local AND o.remote IS h.remote);
CREATE INDEX _asked_by_id ON _asked (id, snapshot);

-- Socket fds with the life of their socket, the namespace of their process (netns), and the one that the
-- socket itself tells (told_netns, its inode number; NULL: not told).
CREATE TABLE _socket_fd (
  id INTEGER PRIMARY KEY, process INTEGER, fd INTEGER, inode INTEGER, first_snapshot INTEGER,
  last_snapshot INTEGER, protocol TEXT, life_first INTEGER, life_last INTEGER, netns INTEGER,
  told_netns INTEGER
);
INSERT INTO _socket_fd
SELECT f.id, f.process, f.fd, f.socket_inode AS inode, f.first_snapshot, f.last_snapshot, f.protocol,
  l.first_snapshot AS life_first, l.last_snapshot AS life_last,
  (SELECT p.netns FROM process_span p WHERE p.process = f.process
     AND p.first_snapshot <= f.last_snapshot
   ORDER BY p.first_snapshot DESC LIMIT 1) AS netns,
  (SELECT a.netns_inode FROM _asked q JOIN autopsy a ON a.rowid = q.autopsy
   WHERE q.id = f.id AND a.netns_inode IS NOT NULL LIMIT 1) AS told_netns
FROM fd_span f
CROSS JOIN _socket_life l ON l.inode = f.socket_inode
  AND f.first_snapshot BETWEEN l.first_snapshot AND l.last_snapshot
WHERE f.socket_inode IS NOT NULL
ORDER BY f.id;

-- When a TCP table lists the socket behind an fd. Only tables of the namespace that the socket tells
-- count; where it tells none, those of the process's own come first, and those of another one only where its
-- own never lists the socket, for fds that were passed on.
CREATE TABLE _listed (
  id INTEGER, first_snapshot INTEGER, last_snapshot INTEGER, netns INTEGER, net_table INTEGER, local TEXT,
  remote TEXT, state INTEGER
);
INSERT INTO _listed
SELECT f.id, max(f.first_snapshot, i.first_snapshot), min(f.last_snapshot, i.last_snapshot), i.netns, i.net_table,
  i.local, i.remote, i.state
FROM _socket_fd f
CROSS JOIN inet_span i ON i.inode = f.inode AND i.first_snapshot <= f.last_snapshot
  AND i.last_snapshot >= f.first_snapshot AND i.net_table IN (1, 2) AND i.netns IS f.netns
WHERE f.told_netns IS NULL OR f.told_netns = (SELECT n.inode FROM netns n WHERE n.id = i.netns);
CREATE INDEX _listed_by_id ON _listed (id, first_snapshot, last_snapshot);
INSERT INTO _listed
SELECT f.id, max(f.first_snapshot, i.first_snapshot), min(f.last_snapshot, i.last_snapshot), i.netns, i.net_table,
  i.local, i.remote, i.state
FROM _socket_fd f
CROSS JOIN inet_span i ON i.inode = f.inode AND i.first_snapshot <= f.last_snapshot
  AND i.last_snapshot >= f.first_snapshot AND i.net_table IN (1, 2)
WHERE NOT EXISTS (SELECT 1 FROM _listed l WHERE l.id = f.id)
  AND (f.told_netns IS NULL OR f.told_netns = (SELECT n.inode FROM netns n WHERE n.id = i.netns));

-- When none does.
CREATE TABLE _unlisted AS
WITH edge AS (
  SELECT id, first_snapshot, last_snapshot,
    max(last_snapshot) OVER (PARTITION BY id ORDER BY first_snapshot, last_snapshot
                             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered_until
  FROM _listed
  -- Most are listed in one stretch, from the first snapshot on.
  WHERE id IN (SELECT l.id FROM _listed l JOIN _socket_fd f USING (id) WHERE l.first_snapshot > f.first_snapshot)
)
SELECT f.id, coalesce(e.covered_until + 1, f.first_snapshot) AS first_snapshot,
  e.first_snapshot - 1 AS last_snapshot
FROM edge e
JOIN _socket_fd f USING (id)
WHERE e.first_snapshot > coalesce(e.covered_until + 1, f.first_snapshot)
UNION ALL
SELECT id, coalesce(listed_last + 1, first_snapshot), last_snapshot
FROM (SELECT f.*, (SELECT max(e.last_snapshot) FROM _listed e WHERE e.id = f.id) AS listed_last
      FROM _socket_fd f LIMIT -1)  -- works it out once
WHERE coalesce(listed_last, first_snapshot - 1) < last_snapshot;

-- For each unlisted stretch the connection that the socket had before it, and whether it is listed again
-- after it: then the table was misread and nothing ended.
--   is_tied            the row is of a namespace in which somebody lived who had the socket, or of the one
--                      that it tells: else it may be that of another socket with the same number
CREATE TABLE _lost_connection AS
WITH connection AS (
  SELECT u.id, u.first_snapshot, u.last_snapshot, i.netns, i.net_table, i.local, i.remote, i.state,
    i.last_snapshot AS seen_last, i.netns IS f.netns OR f.told_netns IS NOT NULL AS is_tied,
    row_number() OVER (PARTITION BY u.id, u.first_snapshot
                       ORDER BY i.last_snapshot DESC, i.netns IS f.netns DESC) AS rank
  FROM _unlisted u
  JOIN _socket_fd f USING (id)
  JOIN inet_span i ON i.inode = f.inode AND i.net_table IN (1, 2) AND i.state <> 10
    AND i.last_snapshot < u.first_snapshot AND i.first_snapshot >= f.life_first
  WHERE f.told_netns IS NULL OR f.told_netns = (SELECT n.inode FROM netns n WHERE n.id = i.netns)
)
SELECT c.id, c.first_snapshot, c.last_snapshot, c.netns, c.net_table, c.local, c.remote, c.state,
  c.seen_last,
  c.is_tied OR EXISTS (SELECT 1 FROM fd_span y
      JOIN _socket_fd x USING (id)
      JOIN process_span p ON p.process = x.process AND p.netns = c.netns
        AND p.first_snapshot <= x.last_snapshot AND p.last_snapshot >= x.first_snapshot
      WHERE y.socket_inode = f.inode AND x.life_first = f.life_first) AS is_tied,
  EXISTS (SELECT 1 FROM inet_span i JOIN tcp_state t USING (state)
          WHERE i.inode = f.inode AND i.netns = c.netns AND i.local = c.local AND i.remote = c.remote
            AND t.is_connection AND i.first_snapshot BETWEEN f.life_first AND c.seen_last)
    AS was_connected,
  EXISTS (SELECT 1 FROM inet_span i
          WHERE i.inode = f.inode AND i.netns = c.netns AND i.local = c.local AND i.remote = c.remote
            AND i.first_snapshot BETWEEN c.last_snapshot + 1 AND f.life_last) AS is_listed_again
FROM connection c
JOIN _socket_fd f USING (id)
WHERE c.rank = 1;
CREATE INDEX _lost_connection_by_id ON _lost_connection (id, first_snapshot);

-- The sightings of a socket without its connection: snapshots in which its fd was listed, then neither
-- TCP table of the connection's namespace listed it, then the fd still was the same. At most two for each
-- stretch, since that is proof, and the last.
CREATE TABLE _sighting AS
WITH bounds AS (
  SELECT c.id, c.first_snapshot, c.last_snapshot, c.netns, f.process, f.fd
  FROM _lost_connection c
  JOIN _socket_fd f USING (id)
  WHERE c.was_connected AND c.is_tied AND NOT c.is_listed_again
    AND coalesce(f.protocol, 'TCP') IN ('TCP', 'TCPv6')
), first AS (
  SELECT b.*, (SELECT r.snapshot FROM _tcp_read r
    WHERE r.netns = b.netns AND r.snapshot BETWEEN b.first_snapshot AND b.last_snapshot
      AND EXISTS (SELECT 1 FROM _fd_read_span s WHERE s.process = b.process
                  AND r.snapshot BETWEEN s.first_snapshot AND s.last_snapshot)
      AND NOT EXISTS (SELECT 1 FROM second_look x WHERE x.process = b.process AND x.fd = b.fd
                      AND x.snapshot = r.snapshot AND x.outcome <> 1)
    ORDER BY r.snapshot LIMIT 1) AS first_sighting
  FROM bounds b
)
SELECT f.id, f.first_snapshot, f.first_sighting,
  1 + EXISTS (SELECT 1 FROM _tcp_read r
    WHERE r.netns = f.netns AND r.snapshot BETWEEN f.first_sighting + 1 AND f.last_snapshot
      AND EXISTS (SELECT 1 FROM _fd_read_span s WHERE s.process = f.process
                  AND r.snapshot BETWEEN s.first_snapshot AND s.last_snapshot)
      AND NOT EXISTS (SELECT 1 FROM second_look x WHERE x.process = f.process AND x.fd = f.fd
                      AND x.snapshot = r.snapshot AND x.outcome <> 1))
  + EXISTS (SELECT 1 FROM second_look x WHERE x.process = f.process AND x.fd = f.fd
            AND x.snapshot = f.first_sighting AND x.outcome = 1 AND x.table_reads > 1)
    AS sightings
FROM first f
WHERE f.first_sighting IS NOT NULL;
CREATE INDEX _sighting_by_id ON _sighting (id, first_snapshot);

-- What an autopsy says of an unlisted stretch: the last one in it. The kernel keeps what it knows of a
-- closed TCP socket until that is connected anew or closed. A socket of MPTCP can live on in another
-- subflow than the one that answers.
--   autopsy            autopsy.rowid
--   finding            was-connected, connect-failed, never-connected; NULL: it says none of these
--   other_until        the last snapshot in which it said something else, or spoke of another peer; 0: none
--   dead_since         the first snapshot since then whose autopsy says was-connected
CREATE TABLE _autopsy_of AS
WITH said AS (
  SELECT u.id, u.first_snapshot, a.rowid AS autopsy, a.snapshot, a.local, a.remote,
    CASE
      WHEN a.state <> 7 OR coalesce(f.protocol, 'TCP') NOT IN ('TCP', 'TCPv6') THEN NULL
      WHEN a.remote IS NOT NULL AND coalesce(a.delivered, a.data_segments_in, a.bytes_received) > 0
        THEN 'was-connected'
      WHEN a.remote IS NOT NULL AND a.delivered = 0 THEN 'connect-failed'
      WHEN a.peer_errno = 107 THEN 'never-connected'  -- ENOTCONN
    END AS finding,
    EXISTS (SELECT 1 FROM _asked o WHERE o.id = u.id AND o.snapshot BETWEEN u.first_snapshot AND u.last_snapshot
            AND o.rowid <> q.rowid) AS is_one_of_many
  FROM _unlisted u
  JOIN _socket_fd f USING (id)
  JOIN _asked q ON q.id = u.id AND q.snapshot BETWEEN u.first_snapshot AND u.last_snapshot
  JOIN autopsy a ON a.rowid = q.autopsy
), closing AS (
  SELECT *, last_value(finding) OVER w AS last_finding, last_value(local) OVER w AS last_local,
    last_value(remote) OVER w AS last_remote, last_value(autopsy) OVER w AS last_autopsy
  FROM said
  WHERE is_one_of_many
  WINDOW w AS (PARTITION BY id, first_snapshot ORDER BY snapshot, autopsy
               ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
), compared AS (
  -- The last snapshot that says something else than the end: it may have been connected anew since.
  SELECT *, max(iif(finding IS last_finding AND local IS last_local AND remote IS last_remote, 0,
                    snapshot)) OVER (PARTITION BY id, first_snapshot) AS other_until
  FROM closing
)
-- Most were asked once.
SELECT id, first_snapshot, autopsy, finding, 0 AS other_until,
  iif(finding = 'was-connected', snapshot, NULL) AS dead_since
FROM said
WHERE NOT is_one_of_many
UNION ALL
SELECT id, first_snapshot, last_autopsy, last_finding, other_until,
  iif(last_finding = 'was-connected',
    coalesce(min(iif(snapshot > other_until, snapshot, NULL)), max(snapshot)), NULL)
FROM compared
GROUP BY id, first_snapshot;
CREATE INDEX _autopsy_of_by_id ON _autopsy_of (id, first_snapshot);

-- The row of another table than TCP's that lists the socket behind an fd: the last one at its time, of its
-- own namespace if there is one.
--   id, net_table, type (of unix), local, remote
CREATE TABLE _other_listed AS
WITH listing AS (
  SELECT inode, netns, net_table, NULL AS type, first_snapshot, last_snapshot, local,
    iif(remote_port <> 0, remote, NULL) AS remote
  FROM inet_span WHERE net_table > 2
  UNION ALL
  SELECT inode, netns, net_table, type, first_snapshot, last_snapshot, name, NULL FROM _other_listing
), candidate AS (
  SELECT f.id, l.net_table, l.type, l.local, l.remote, row_number() OVER (PARTITION BY f.id
      ORDER BY l.netns IS f.netns DESC, l.last_snapshot DESC, l.remote IS NULL) AS rank
  FROM listing l
  JOIN fd_span y ON y.socket_inode = l.inode AND l.first_snapshot <= y.last_snapshot
    AND l.last_snapshot >= y.first_snapshot
  JOIN _socket_fd f ON f.id = y.id
  JOIN net_table_name n USING (net_table)
  WHERE f.protocol IS NULL OR f.protocol IN (n.protocol, n.protocol || '-STREAM')
)
SELECT id, net_table, type, local, remote FROM candidate WHERE rank = 1;
CREATE UNIQUE INDEX _other_listed_by_id ON _other_listed (id);
