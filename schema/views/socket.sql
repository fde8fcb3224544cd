-- Sockets and their verdicts: what became of the connection behind a file descriptor.

-- What is said of an unlisted stretch as a whole.
--   followed           1: the fd is listed after it
--   known_first, known_last   the first and last snapshot in it in which it is known that no table lists the
--                      socket; NULL: none
--   seen_dead_last     of outlived: the last in which its closed state is known
--   the rest           as in verdict_span
CREATE TABLE _unlisted_verdict AS
WITH looked AS (
  SELECT u.id, u.first_snapshot, u.last_snapshot, f.process, f.inode, f.protocol,
    u.last_snapshot < f.last_snapshot AS followed,
    c.id IS NOT NULL AS was_listed, c.is_tied, c.was_connected, c.netns, c.net_table, c.local, c.remote, c.state,
    c.seen_last,
    (SELECT r.snapshot FROM _tcp_read r WHERE r.netns = c.netns
       AND r.snapshot BETWEEN u.first_snapshot AND u.last_snapshot ORDER BY 1 LIMIT 1) AS read_first,
    (SELECT r.snapshot FROM _tcp_read r WHERE r.netns = c.netns
       AND r.snapshot BETWEEN u.first_snapshot AND u.last_snapshot ORDER BY 1 DESC LIMIT 1) AS read_last,
    (SELECT max(o.first_snapshot, u.first_snapshot) FROM _own_tcp_read_span o
     WHERE o.process = f.process AND o.last_snapshot >= u.first_snapshot
     ORDER BY o.last_snapshot LIMIT 1) AS own_read_first,
    (SELECT min(o.last_snapshot, u.last_snapshot) FROM _own_tcp_read_span o
     WHERE o.process = f.process AND o.first_snapshot <= u.last_snapshot
     ORDER BY o.first_snapshot DESC LIMIT 1) AS own_read_last
  FROM _unlisted u
  JOIN _socket_fd f USING (id)
  LEFT JOIN _lost_connection c ON c.id = u.id AND c.first_snapshot = u.first_snapshot
  LIMIT -1  -- works each column out once, not again wherever it is named
), clipped AS (
  SELECT *, iif(own_read_first <= own_read_last, own_read_first, NULL) AS own_first,
    iif(own_read_first <= own_read_last, own_read_last, NULL) AS own_last
  FROM looked
  LIMIT -1  -- works each column out once, not again wherever it is named
)
SELECT u.id, u.first_snapshot, u.last_snapshot, u.followed,
  min(coalesce(u.read_first, u.own_first), coalesce(u.own_first, u.read_first)) AS known_first,
  max(coalesce(u.read_last, u.own_last), coalesce(u.own_last, u.read_last)) AS known_last,
  CASE
    WHEN u.protocol NOT IN ('TCP', 'TCPv6', 'MPTCP', 'MPTCPv6') THEN 'other'
    WHEN u.protocol IS NULL AND NOT u.was_listed AND (
      EXISTS (SELECT 1 FROM _other_listed o WHERE o.id = u.id)) THEN 'other'
    -- What the kernel says of the socket itself counts for more than what the tables do not list.
    WHEN a.finding = 'was-connected' OR (s.sightings IS NOT NULL AND coalesce(x.state, 7) = 7)
      THEN 'outlived'
    -- The kernel forgets a connect() that failed at once or while it blocked, and a disconnect: who was seen in a table, if only
    -- in SYN_SENT, has tried all the same.
    WHEN a.finding = 'never-connected' AND u.is_tied THEN
      CASE WHEN u.was_connected THEN 'unlisted' ELSE 'connect-failed' END
    ELSE coalesce(a.finding, 'unlisted')
  END AS verdict,
  CASE
    WHEN u.protocol NOT IN ('TCP', 'TCPv6') THEN NULL
    WHEN a.finding = 'was-connected' THEN 'autopsy'
    WHEN coalesce(x.state, 7) <> 7 THEN NULL
    WHEN s.sightings >= 2 THEN 'history'
    WHEN s.sightings = 1 THEN 'single'
  END AS proof,
  u.netns, u.net_table, coalesce(u.local, x.local) AS local, coalesce(u.remote, x.remote) AS remote,
  u.state, u.seen_last AS connection_last,
  CASE
    WHEN a.finding = 'was-connected' AND s.first_sighting > a.other_until
      THEN min(a.dead_since, s.first_sighting)
    WHEN a.finding = 'was-connected' THEN a.dead_since
    WHEN coalesce(x.state, 7) = 7 THEN s.first_sighting
  END AS outlived_since,
  iif(a.finding = 'was-connected', max(coalesce(u.own_last, u.read_last), coalesce(u.read_last, u.own_last)),
      u.read_last) AS seen_dead_last,
  a.autopsy
FROM clipped u
LEFT JOIN _sighting s ON s.id = u.id AND s.first_snapshot = u.first_snapshot
LEFT JOIN _autopsy_of a ON a.id = u.id AND a.first_snapshot = u.first_snapshot
LEFT JOIN autopsy x ON x.rowid = a.autopsy;

-- The verdict of each socket fd, from one snapshot to another. Where the tables could not be read nothing
-- goes on but what cannot end: a closed socket stays closed until its program disconnects it and connects
-- it anew, so that `outlived` goes on unless the fd is listed afterwards. Between two snapshots that say
-- the same nothing has changed.
--   id                 fd_span.id
--   first_snapshot, last_snapshot
--   verdict            connected, listening, closing, peer-closed, outlived, connect-failed,
--                      never-connected, unlisted, other
--   proof              of outlived: autopsy (the kernel itself says closed, and once connected), history
--                      (seen twice or more without its connection), single (once)
--   netns, net_table, local, remote, state   the row that lists it, or listed it last; NULL: none ever
--   connection_last    the last snapshot that lists the connection
--   outlived_since     of outlived: the first snapshot seen without it
--   outlived_until     of outlived: the last snapshot in which that is certain
--   autopsy            autopsy.rowid of what the kernel says of it; NULL: it was not asked
CREATE TABLE verdict_span AS
SELECT f.id, l.first_snapshot, l.last_snapshot, t.verdict, NULL AS proof, l.netns, l.net_table, l.local,
  l.remote, l.state, l.last_snapshot AS connection_last, NULL AS outlived_since,
  NULL AS outlived_until, NULL AS autopsy
FROM _listed l
JOIN _socket_fd f USING (id)
JOIN tcp_state t ON t.state = l.state
UNION ALL
SELECT * FROM (
  WITH bounded AS (
    -- From when to when the verdict holds.
    SELECT *,
      CASE verdict WHEN 'outlived' THEN outlived_since WHEN 'other' THEN first_snapshot
        WHEN 'unlisted' THEN first_snapshot ELSE known_first END AS holds_from,
      CASE WHEN verdict IN ('other', 'unlisted') OR (verdict = 'outlived' AND NOT followed)
          THEN last_snapshot
        WHEN verdict = 'outlived' THEN max(outlived_since, coalesce(seen_dead_last, outlived_since))
        ELSE known_last END AS holds_until
    FROM _unlisted_verdict
  )
  SELECT id, holds_from, holds_until, verdict, proof, netns, net_table, local, remote, state,
    connection_last, outlived_since,
    iif(verdict = 'outlived', max(outlived_since, coalesce(seen_dead_last, outlived_since)), NULL),
    autopsy
  FROM bounded
  WHERE holds_from <= holds_until
  UNION ALL
  SELECT id, first_snapshot, coalesce(holds_from - 1, last_snapshot), 'unlisted', NULL, netns, net_table,
    local, remote, state, connection_last, NULL, NULL, autopsy
  FROM bounded
  WHERE holds_from IS NULL OR holds_from > first_snapshot
  UNION ALL
  SELECT id, holds_until + 1, last_snapshot, 'unlisted', NULL, netns, net_table, local, remote, state,
    connection_last, NULL, NULL, autopsy
  FROM bounded
  WHERE holds_until < last_snapshot
);
CREATE INDEX _verdict_span_by_id ON verdict_span (id, last_snapshot DESC, first_snapshot);

-- What the kernel said of a socket, once for each asking.
--   autopsy            autopsy.rowid
--   last_data_at       when data last moved in either direction, by the host's wall clock; NULL: none did
--   remote_address     without the port
CREATE VIEW _autopsy_detail AS
SELECT autopsy, local, nullif(local_port, 0) AS local_port, remote, bytes_received, bytes_acked,
  netns_inode, last_data_ns,
  strftime('%Y-%m-%dT%H:%M:%S', last_data_ns / 1000000000, 'unixepoch')
    || printf('.%03dZ', last_data_ns / 1000000 % 1000) AS last_data_at,
  substr(remote, 1, length(remote) - length(remote_port) - 1) AS remote_address
FROM (
  SELECT rowid AS autopsy, *, asked_at_ns - 1000000 * coalesce(
    min(iif(data_segments_in > 0, last_data_received_ms, NULL),
        iif(data_segments_out > 0, last_data_sent_ms, NULL)),
    iif(data_segments_in > 0, last_data_received_ms, NULL),
    iif(data_segments_out > 0, last_data_sent_ms, NULL)) AS last_data_ns
  FROM autopsy
);

-- What `sockets` is made of: a row for each of its rows, with numbers of snapshots in place of their times, which few
-- of its readers need. connection_first, connection_last, since: of connection_first_seen, connection_last_seen and
-- outlived_since; the rest as there.
CREATE TABLE _socket (
  id INTEGER PRIMARY KEY, pid INTEGER, start_ticks INTEGER, comm TEXT, fd INTEGER, inode INTEGER,
  netns INTEGER, netns_source TEXT, protocol TEXT, verdict TEXT, proof TEXT, local TEXT, remote TEXT, last_state TEXT,
  connection_first INTEGER, connection_last INTEGER, since INTEGER, last_data_at TEXT, outlived_seconds REAL,
  open_at_end INTEGER, bytes_received INTEGER, bytes_acked INTEGER, leak INTEGER, process INTEGER,
  first_snapshot INTEGER, last_snapshot INTEGER, net_table INTEGER, local_port INTEGER, remote_address TEXT
);
INSERT INTO _socket
WITH joined AS (
  SELECT f.id, p.pid, p.start_ticks, p.comm, f.fd, f.socket_inode AS inode,
    coalesce((SELECT inode FROM netns WHERE id = v.netns), a.netns_inode, p.netns) AS netns,
    CASE WHEN v.netns IS NOT NULL THEN 'table' WHEN a.netns_inode IS NOT NULL THEN 'socket'
      WHEN p.netns IS NOT NULL THEN 'process' END AS netns_source,
    coalesce(f.protocol,
      (SELECT protocol FROM net_table_name WHERE net_table = v.net_table),
      (SELECT protocol || iif(o.net_table = 11 AND o.type = 1, '-STREAM', '')
       FROM net_table_name WHERE net_table = o.net_table)) AS protocol,
    v.verdict, v.proof,
    CASE WHEN v.verdict = 'other' THEN o.local WHEN substr(v.local, -2) <> ':0' THEN v.local END AS local,
    CASE WHEN v.verdict = 'other' THEN o.remote WHEN substr(v.remote, -2) <> ':0' THEN v.remote END AS remote,
    (SELECT name FROM tcp_state WHERE state = v.state) AS last_state,
    f.first_snapshot, f.last_snapshot, v.outlived_since, v.outlived_until, v.net_table, f.process,
    f.closed_by IS NULL OR f.closed_by IS p.ended_by AS open_at_end,
    CASE WHEN v.verdict <> 'listening' THEN v.connection_last END AS connection_last,
    CASE WHEN v.verdict = 'listening' OR i.rowid IS NULL THEN NULL
      -- Most have been listed in one state only.
      WHEN NOT EXISTS (SELECT 1 FROM inet_span o WHERE o.inode = i.inode AND o.rowid <> i.rowid)
        THEN iif(i.netns = v.netns AND i.first_snapshot <= v.connection_last, i.first_snapshot, NULL)
      ELSE (SELECT min(o.first_snapshot) FROM inet_span o JOIN _socket_fd x ON x.id = f.id
        WHERE o.inode = f.socket_inode AND o.netns = v.netns AND o.local = v.local
          AND o.remote = v.remote AND o.first_snapshot BETWEEN x.life_first AND v.connection_last)
      END AS connection_first,
    a.last_data_at, a.bytes_received, a.bytes_acked, a.local_port AS own_local_port,
    a.remote_address AS own_remote_address, coalesce(a.local_port, i.local_port) AS local_port,
    coalesce(a.remote_address, substr(i.remote, 1, length(i.remote) - length(i.remote_port) - 1)) AS remote_address
  FROM fd_span f
  JOIN processes p USING (process)
  JOIN verdict_span v ON v.rowid = (SELECT x.rowid FROM verdict_span x WHERE x.id = f.id
                                    ORDER BY x.last_snapshot DESC, x.first_snapshot LIMIT 1)
  LEFT JOIN _autopsy_detail a ON a.autopsy = v.autopsy
  LEFT JOIN _other_listed o ON o.id = f.id
  -- A row that lists it, or listed it, with these addresses.
  LEFT JOIN inet_span i ON i.rowid = (SELECT x.rowid FROM inet_span x WHERE x.inode = f.socket_inode
    AND x.local = v.local AND x.remote = v.remote LIMIT 1)
)
SELECT j.id, j.pid, j.start_ticks, j.comm, j.fd, j.inode, j.netns, j.netns_source, j.protocol, j.verdict, j.proof,
  j.local, j.remote, j.last_state, j.connection_first, j.connection_last, j.outlived_since, j.last_data_at,
  (until.boottime_ns - since.boottime_ns) / 1000000 / 1000.0,
  j.open_at_end, j.bytes_received, j.bytes_acked,
  j.verdict = 'outlived' AND (until.boottime_ns - since.boottime_ns)
    > 1000000 * (SELECT value FROM setting WHERE name = 'grace_ms'),
  j.process, j.first_snapshot, j.last_snapshot, j.net_table,
  CASE WHEN j.local IS NULL THEN j.own_local_port WHEN j.verdict <> 'other' THEN j.local_port
    ELSE coalesce(j.own_local_port, (SELECT i.local_port FROM inet_span i
      WHERE i.inode = j.inode AND i.local = j.local LIMIT 1)) END,
  CASE WHEN j.remote IS NULL THEN j.own_remote_address WHEN j.verdict <> 'other' THEN j.remote_address
    ELSE coalesce(j.own_remote_address, (SELECT substr(i.remote, 1, length(i.remote) - length(i.remote_port) - 1)
      FROM inet_span i WHERE i.inode = j.inode AND i.remote = j.remote LIMIT 1)) END
FROM joined j
JOIN snapshot first_seen ON first_seen.id = j.first_snapshot
JOIN snapshot last_seen ON last_seen.id = j.last_snapshot
LEFT JOIN snapshot since ON since.id = j.outlived_since
LEFT JOIN snapshot until ON until.id = j.outlived_until
ORDER BY j.id;

-- Every socket fd with its verdict when it was last seen: the rows of `fdanalyze sockets`.
--   id                 fd_span.id
--   pid, start_ticks, comm, fd, inode
--   netns              inode number of its network namespace, as far as netns_source can tell; NULL: unknown
--   netns_source       table: one of that namespace lists it; socket: the kernel told it of the socket itself;
--                      process: nothing told it, and it is the namespace of the process, in which most of
--                      its sockets are
--   protocol           the kernel's name
--   verdict, proof
--   local, remote      NULL: unknown
--   last_state         as the table names it; NULL: never listed
--   fd_first_seen, fd_last_seen, connection_first_seen, connection_last_seen   UTC, ISO 8601
--   outlived_since     of outlived: the first snapshot's time without the connection
--   last_data_at, bytes_received, bytes_acked   NULL: not told
--   outlived_seconds   of outlived: from outlived_since to the last snapshot in which that is certain, which
--                      is fd_last_seen where the tables could be read then
--   open_at_end        0: it was closed; 1: it was open when last looked at, or until its process ended
--   watched_by         JSON array of the epoll fds of its process that watch it
--   leak               1: outlived for longer than the grace period
--   process, first_snapshot, last_snapshot, net_table, local_port, remote_address   for joining
CREATE VIEW sockets AS
SELECT s.id, s.pid, s.start_ticks, s.comm, s.fd, s.inode, s.netns, s.netns_source, s.protocol, s.verdict, s.proof,
  s.local, s.remote, s.last_state,
  (SELECT taken_at FROM snapshot WHERE id = s.first_snapshot) AS fd_first_seen,
  (SELECT taken_at FROM snapshot WHERE id = s.last_snapshot) AS fd_last_seen,
  (SELECT taken_at FROM snapshot WHERE id = s.connection_first) AS connection_first_seen,
  (SELECT taken_at FROM snapshot WHERE id = s.connection_last) AS connection_last_seen,
  (SELECT taken_at FROM snapshot WHERE id = s.since) AS outlived_since,
  s.last_data_at, s.outlived_seconds, s.open_at_end, s.bytes_received, s.bytes_acked,
  -- Where nothing watches there is nothing to sort.
  iif(EXISTS (SELECT 1 FROM epoll_watch_span w WHERE w.process = s.process AND w.inode = s.inode),
    (SELECT json_group_array(fd) FROM (
      SELECT DISTINCT w.fd FROM epoll_watch_span w
      WHERE w.process = s.process AND w.inode = s.inode
        AND s.last_snapshot BETWEEN w.first_snapshot AND w.last_snapshot ORDER BY 1)), '[]') AS watched_by,
  s.leak, s.process, s.first_snapshot, s.last_snapshot, s.net_table, s.local_port, s.remote_address
FROM _socket s;

-- The fds that outlived their connections: the rows of `fdanalyze outlived`.
CREATE VIEW outlived AS
SELECT * FROM sockets WHERE verdict = 'outlived';

-- TCP sockets of a network namespace of which no TCP table was read: fds that were passed on from there, or that their
-- process took along when it changed its namespace. That no table lists them says nothing.
--   id                 fd_span.id
--   netns              inode number of the namespace, as the socket itself tells it
CREATE TABLE _of_unread_netns AS
SELECT s.id, s.netns
FROM _socket s
WHERE s.netns_source = 'socket'
  AND NOT EXISTS (SELECT 1 FROM netns n JOIN _tcp_read_span r ON r.netns = n.id WHERE n.inode = s.netns);
CREATE UNIQUE INDEX _of_unread_netns_by_id ON _of_unread_netns (id);

-- TCP sockets that no table lists and of which the kernel itself says that they are not closed: nearly all are of a
-- namespace that was not read.
--   id                 fd_span.id
--   process, fd, inode, netns, local, remote, open_at_end   as in sockets
--   netns_unread       1: it is known which namespace it is of, and no TCP table of that was read in the last snapshot
--                      with the fd
--   state              what the kernel said when it was asked last: ESTABLISHED, CLOSE_WAIT, LISTEN, ...
--   since              when it was first asked and said so, without another answer in between; UTC, ISO 8601
--   seconds            from then to the last snapshot with the fd
CREATE TABLE told_socket AS
WITH told AS (
  SELECT s.id, s.process, s.fd, s.inode, s.netns, s.local, s.remote, s.open_at_end, s.last_snapshot, a.state,
    s.netns_source IN ('table', 'socket') AND NOT EXISTS (SELECT 1 FROM netns n JOIN _tcp_read_span r ON r.netns = n.id
      WHERE n.inode = s.netns AND s.last_snapshot BETWEEN r.first_snapshot AND r.last_snapshot) AS netns_unread
  FROM _socket s
  JOIN verdict_span v ON v.id = s.id AND v.last_snapshot = s.last_snapshot AND v.verdict = 'unlisted'
  JOIN autopsy a ON a.rowid = v.autopsy
  WHERE s.verdict = 'unlisted' AND a.state <> 7
), dated AS (
  SELECT t.*, (SELECT min(q.snapshot) FROM _asked q JOIN autopsy x ON x.rowid = q.autopsy
    WHERE q.id = t.id AND x.state = t.state AND q.snapshot > coalesce((SELECT max(p.snapshot) FROM _asked p
      JOIN autopsy y ON y.rowid = p.autopsy WHERE p.id = t.id AND y.state <> t.state), 0)) AS first_told
  FROM told t
)
SELECT d.id, d.process, d.fd, d.inode, d.netns, d.local, d.remote, d.open_at_end, d.netns_unread,
  n.name AS state, a.taken_at AS since,
  (z.boottime_ns - a.boottime_ns) / 1e9 AS seconds
FROM dated d
JOIN tcp_state n ON n.state = d.state
JOIN snapshot a ON a.id = d.first_told
JOIN snapshot z ON z.id = d.last_snapshot;
CREATE UNIQUE INDEX _told_socket_by_id ON told_socket (id);
