-- One fd's whole life: what `fdanalyze history` prints.

-- An event in the life of an fd, worked out from the spans.   id (fd_span.id), snapshot, place, kind, event

-- Of the fd itself.
CREATE VIEW _fd_event AS
SELECT id, first_snapshot AS snapshot, 10 AS place, iif(was_opened, 'opened', 'present') AS kind,
  iif(was_opened, 'opened: ', 'there when first looked at: ')
    || coalesce(target, 'a file whose link could not be read') || coalesce(' ' || protocol, '') AS event
FROM fd_span
UNION ALL
-- Another row of the same file: what differs.
SELECT f.id, c.snapshot, 50, c.kind, c.event
FROM (
  SELECT process, fd, snapshot, 'flags' AS kind,
    printf('flags 0%o became 0%o', previous_flags, flags) AS event
  FROM (SELECT *, lag(flags) OVER (PARTITION BY process, fd ORDER BY snapshot) AS previous_flags
        FROM fd_change)
  WHERE flags <> previous_flags
  UNION ALL
  SELECT process, fd, snapshot, 'renamed', printf('%s is now named %s', previous_text, link_text)
  FROM (SELECT *, lag(link_text) OVER (PARTITION BY process, fd ORDER BY snapshot) AS previous_text
        FROM fd_change)
  WHERE link_text <> previous_text
) c
JOIN fd_span f ON f.process = c.process AND f.fd = c.fd
  AND c.snapshot > f.first_snapshot AND c.snapshot <= f.last_snapshot
UNION ALL
SELECT f.id, f.closed_by, 90, iif(f.closed_by IS p.ended_by, 'process-ended', 'closed'),
  printf('%s; last seen in snapshot %d',
         iif(f.closed_by IS p.ended_by, 'closed, for the process has ended', 'closed'), f.last_snapshot)
FROM fd_span f JOIN processes p USING (process)
WHERE f.closed_by IS NOT NULL
UNION ALL
SELECT id, last_snapshot, 91, 'open', 'open when last looked at'
FROM fd_span
WHERE closed_by IS NULL;

-- Of its connection: what the TCP tables and the kernel say.
CREATE VIEW _connection_event AS
SELECT id, first_snapshot AS snapshot, 20 AS place,
  CASE WHEN previous_state IS NULL THEN 'listed' WHEN is_same THEN 'state' ELSE 'listed-again' END AS kind,
  CASE WHEN is_same THEN printf('state %s became %s', previous_name, name)
    ELSE printf('%slisted in %s: %s%s %s', iif(previous_state IS NULL, '', 'again '), net_table_name,
                local, iif(state = 10, '', ' -> ' || remote), name) END AS event
FROM (
  SELECT l.*, t.name, n.name AS net_table_name,
    lag(l.state) OVER w AS previous_state, lag(t.name) OVER w AS previous_name,
    l.local IS lag(l.local) OVER w AND l.remote IS lag(l.remote) OVER w
      AND l.first_snapshot = 1 + lag(l.last_snapshot) OVER w AND l.state <> lag(l.state) OVER w AS is_same
  FROM _listed l
  JOIN tcp_state t USING (state)
  JOIN net_table_name n USING (net_table)
  WINDOW w AS (PARTITION BY l.id ORDER BY l.first_snapshot, l.last_snapshot)
)
UNION ALL
-- Once for each stretch, whatever the verdict becomes in it.
SELECT id, min(snapshot), 30, 'unlisted', event
FROM (
  SELECT v.id, u.first_snapshot AS stretch, (SELECT min(r.snapshot) FROM _tcp_read r WHERE r.netns = coalesce(v.netns, f.netns)
                AND r.snapshot BETWEEN v.first_snapshot AND v.last_snapshot) AS snapshot,
    CASE
      WHEN v.connection_last IS NOT NULL
        THEN printf('no TCP table lists its connection any more; the last that did was in snapshot %d',
                    v.connection_last)
      WHEN EXISTS (SELECT 1 FROM _listed l WHERE l.id = v.id AND l.last_snapshot < v.first_snapshot)
        THEN 'no TCP table lists it any more'
      ELSE 'in no TCP table'
    END AS event
  FROM verdict_span v
  JOIN _socket_fd f USING (id)
  JOIN _unlisted u ON u.id = v.id AND v.first_snapshot BETWEEN u.first_snapshot AND u.last_snapshot
  WHERE v.verdict <> 'other' AND coalesce(v.connection_last, 0) < v.first_snapshot
)
WHERE snapshot IS NOT NULL
GROUP BY id, stretch
UNION ALL
-- A keyframe repeats what was said before.
SELECT a.id, a.snapshot, 35, 'autopsy',
  'the kernel says: ' || coalesce(t.name, 'state ' || a.state)
    || CASE WHEN a.remote IS NULL THEN iif(a.peer_errno = 107, ', it has no peer', ', its peer is not told')
         WHEN coalesce(a.delivered, a.data_segments_in, a.bytes_received) > 0
           THEN printf(', it was connected %s -> %s, received %s bytes and had %s acknowledged',
                       a.local, a.remote, coalesce(a.bytes_received, 'an unknown number of'),
                       coalesce(a.bytes_acked, 'an unknown number'))
         WHEN a.delivered = 0 THEN printf(', it tried to connect to %s and never was connected', a.remote)
         ELSE ', its peer is ' || a.remote END
    || coalesce('; data last moved at ' || d.last_data_at, '')
FROM (
  SELECT f.id, x.*, x.rowid AS autopsy, min(x.snapshot)
  FROM _socket_fd f
  JOIN _asked q ON q.id = f.id
  JOIN autopsy x ON x.rowid = q.autopsy
  GROUP BY f.id, x.asked_at_ns
) a
LEFT JOIN tcp_state t USING (state)
LEFT JOIN _autopsy_detail d ON d.autopsy = a.autopsy
UNION ALL
SELECT id, min(outlived_since), 40, 'outlived',
  printf('outlived its connection (proof: %s)', proof)
FROM verdict_span
WHERE verdict = 'outlived'
GROUP BY id, first_snapshot
UNION ALL
SELECT id, snapshot, 41, 'leak',
  printf('outlived for longer than %g s: a leak',
         (SELECT value FROM setting WHERE name = 'grace_ms') / 1000.0)
FROM (
  SELECT v.id, (SELECT min(s.id) FROM snapshot s
    WHERE s.id BETWEEN v.outlived_since AND v.last_snapshot AND s.boottime_ns - since.boottime_ns
      > 1000000 * (SELECT value FROM setting WHERE name = 'grace_ms')) AS snapshot
  FROM verdict_span v JOIN snapshot since ON since.id = v.outlived_since
  WHERE v.verdict = 'outlived'
)
WHERE snapshot IS NOT NULL;

-- Queues flicker: only when one was first seen filled, and the fullest.
CREATE VIEW _queue_event AS
WITH queue AS (
  -- The table counts a FIN that the program has not read yet as one byte.
  SELECT f.id, c.snapshot, 'rx' AS direction,
    c.rx_queue - EXISTS (SELECT 1 FROM _listed l WHERE l.id = f.id AND l.state IN (8, 9, 11)
                         AND c.snapshot BETWEEN l.first_snapshot AND l.last_snapshot) AS filled,
    EXISTS (SELECT 1 FROM _listed l WHERE l.id = f.id AND l.state = 10
            AND c.snapshot BETWEEN l.first_snapshot AND l.last_snapshot) AS is_listening,
    f.first_snapshot, f.last_snapshot, c.netns, c.net_table
  FROM _socket_fd f JOIN inet_queue_change c ON c.inode = f.inode
  UNION ALL
  SELECT f.id, c.snapshot, 'tx', c.tx_queue,
    EXISTS (SELECT 1 FROM _listed l WHERE l.id = f.id AND l.state = 10
            AND c.snapshot BETWEEN l.first_snapshot AND l.last_snapshot),
    f.first_snapshot, f.last_snapshot, c.netns, c.net_table
  FROM _socket_fd f JOIN inet_queue_change c ON c.inode = f.inode
), own AS (
  -- Of a listening socket tx_queue is the longest that its accept queue may be.
  SELECT id, snapshot, direction, filled, is_listening FROM queue q
  WHERE q.filled > 0 AND q.snapshot BETWEEN q.first_snapshot AND q.last_snapshot
    AND NOT (q.is_listening AND q.direction = 'tx')
    AND (q.net_table > 2 OR EXISTS (SELECT 1 FROM _listed l WHERE l.id = q.id AND l.netns = q.netns
           AND l.net_table = q.net_table AND q.snapshot BETWEEN l.first_snapshot AND l.last_snapshot))
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY id, direction ORDER BY snapshot) AS order_of_time,
    row_number() OVER (PARTITION BY id, direction ORDER BY filled DESC, snapshot) AS order_of_size,
    count(*) OVER (PARTITION BY id, direction) AS total
  FROM own
)
SELECT id, snapshot, 60 AS place, 'queue' AS kind,
  CASE WHEN order_of_size > 1 THEN 'first: ' WHEN total > 1 THEN 'most: ' ELSE '' END
    || CASE WHEN is_listening THEN printf('%d connections wait to be accepted', filled)
         WHEN direction = 'rx' THEN printf('%d bytes that the program has not read', filled)
         ELSE printf('%d bytes that the peer has not acknowledged', filled) END AS event
FROM ranked
WHERE order_of_time = 1 OR order_of_size = 1;

-- Of what is tied to it: epolls, and other fds of the same socket.
CREATE VIEW _relation_event AS
SELECT id, max(first_snapshot, fd_first) AS snapshot, 55 AS place, 'watched' AS kind,
  printf('watched by epoll fd %d', epoll) AS event
FROM (
  SELECT f.id, f.first_snapshot AS fd_first, w.fd AS epoll, w.first_snapshot
  FROM fd_span f
  JOIN epoll_watch_span w ON w.process = f.process AND w.first_snapshot <= f.last_snapshot
    AND w.last_snapshot >= f.first_snapshot AND (w.inode = f.socket_inode
      OR (f.socket_inode IS NULL AND w.watched_fd = f.fd AND w.inode IS f.inode))
)
UNION ALL
SELECT f.id, w.last_snapshot + 1, 56, 'unwatched', printf('not watched by epoll fd %d any more', w.fd)
FROM fd_span f
JOIN epoll_watch_span w ON w.process = f.process AND w.last_snapshot BETWEEN f.first_snapshot
    AND f.last_snapshot - 1 AND (w.inode = f.socket_inode
      OR (f.socket_inode IS NULL AND w.watched_fd = f.fd AND w.inode IS f.inode))
UNION ALL
SELECT id, snapshot, 57, 'shared',
  CASE WHEN count = 1 THEN '' WHEN total = count THEN printf('%d other fds hold it, one of them: ', count)
    ELSE printf('%d more fds hold it (%d others in all), one of them: ', count, total) END
    || printf('fd %d of pid %d (%s) holds it too', fd, pid, comm)
    || iif(count = 1 AND total > 1, printf(' (%d others in all)', total), '')
FROM (
  SELECT *, count(*) AS count, (SELECT count(*) FROM fd_span o WHERE o.socket_inode = inode AND o.id <> n.id
    AND snapshot BETWEEN o.first_snapshot AND o.last_snapshot) AS total
  FROM (
    SELECT f.id, f.socket_inode AS inode, max(f.first_snapshot, o.first_snapshot) AS snapshot, o.fd, p.pid, p.comm
    FROM fd_span f
    JOIN fd_span o ON o.socket_inode = f.socket_inode AND o.id <> f.id
      AND o.first_snapshot <= f.last_snapshot AND o.last_snapshot >= f.first_snapshot
    JOIN processes p ON p.process = o.process
    ORDER BY f.id, p.pid, o.fd
  ) n
  GROUP BY id, snapshot
)
UNION ALL
SELECT id, snapshot, 58, 'unshared',
  iif(count = 1, '', printf('%d other fds hold it no more%s, one of them: ', count,
    iif(total > 0, printf(' (%d %s)', total, iif(total = 1, 'other still does', 'others still do')), '')))
    || printf('fd %d of pid %d (%s) holds it no more', fd, pid, comm)
    || iif(count = 1 AND total > 0, printf(' (%d %s)', total, iif(total = 1, 'other still does', 'others still do')), '')
FROM (
  SELECT *, count(*) AS count, (SELECT count(*) FROM fd_span o WHERE o.socket_inode = inode AND o.id <> n.id
    AND snapshot BETWEEN o.first_snapshot AND o.last_snapshot) AS total
  FROM (
    SELECT f.id, f.socket_inode AS inode, o.closed_by AS snapshot, o.fd, p.pid, p.comm
    FROM fd_span f
    JOIN fd_span o ON o.socket_inode = f.socket_inode AND o.id <> f.id
      AND o.first_snapshot <= f.last_snapshot AND o.closed_by BETWEEN f.first_snapshot + 1 AND f.last_snapshot
    JOIN processes p ON p.process = o.process
    ORDER BY f.id, p.pid, o.fd
  ) n
  GROUP BY id, snapshot
);

-- What could not be seen in between.
CREATE VIEW _gap_event AS
SELECT f.id, r.last_snapshot + 1 AS snapshot, 5 AS place, 'gap' AS kind,
  printf('the fds of the process were not read up to snapshot %d', r.next_snapshot - 1) AS event
FROM fd_span f
JOIN (
  SELECT *, lead(first_snapshot) OVER (PARTITION BY process ORDER BY first_snapshot) AS next_snapshot
  FROM _fd_read_span
) r ON r.process = f.process AND r.last_snapshot BETWEEN f.first_snapshot AND f.last_snapshot - 1
UNION ALL
SELECT f.id, max(s.first_snapshot, f.first_snapshot), 6, 'gap',
  printf('%s was %s, up to snapshot %d', n.name, iif(s.status = 4, 'read in part only', 'not read'),
         min(s.last_snapshot, f.last_snapshot))
FROM _socket_fd f
JOIN net_table_span s ON s.netns = f.netns AND s.net_table IN (1, 2) AND s.status IN (3, 4)
  AND s.first_snapshot <= f.last_snapshot AND s.last_snapshot >= f.first_snapshot
JOIN net_table_name n USING (net_table)
WHERE coalesce(f.protocol, 'TCP') LIKE '%TCP%'
UNION ALL
SELECT f.id, r.last_snapshot, 95, 'recording-ended',
  printf('recording %d ended: %s', r.id, coalesce(r.end_reason, 'its end is not recorded'))
FROM fd_span f
JOIN recording r ON r.last_snapshot BETWEEN f.first_snapshot AND f.last_snapshot - 1
UNION ALL
SELECT f.id, r.first_snapshot, 4, 'recording-started', printf('recording %d started', r.id)
FROM fd_span f
JOIN recording r ON r.first_snapshot BETWEEN f.first_snapshot + 1 AND f.last_snapshot;

-- The life of each fd, event by event, for as long as it was looked at. Give the id in WHERE.
--   id                 fd_span.id
--   process, pid, start_ticks, comm, fd
--   inode              of a socket; else NULL
--   target             fd_span.target
--   snapshot, at       the first snapshot that shows it, and its time, UTC, ISO 8601
--   place              the order of what the same snapshot shows
--   kind               present, opened, closed, process-ended, open; flags, renamed; listed, state, unlisted,
--                      listed-again, autopsy, outlived, leak; queue; watched, unwatched, shared, unshared;
--                      gap, recording-ended, recording-started
--   event              the same in words
CREATE VIEW fd_event AS
SELECT e.id, f.process, p.pid, p.start_ticks, p.comm, f.fd, f.socket_inode AS inode, f.target, e.snapshot,
  s.taken_at AS at, e.place, e.kind, e.event
FROM (
  SELECT * FROM _fd_event
  UNION ALL SELECT * FROM _connection_event
  UNION ALL SELECT * FROM _queue_event
  UNION ALL SELECT * FROM _relation_event
  UNION ALL SELECT * FROM _gap_event
) e
JOIN fd_span f ON f.id = e.id
JOIN processes p USING (process)
JOIN snapshot s ON s.id = e.snapshot;

-- The life of each socket that an Internet table lists and no recorded fd holds, as far as the table tells.
--   netns              inode number of the namespace
--   inode
--   first_seen, last_seen   UTC, ISO 8601: of the rows with this inode
--   snapshot, at, place, kind (listed, listed-again, state, unlisted), event   as in fd_event
CREATE VIEW inode_event AS
WITH span AS (
  SELECT i.*, t.name AS state_name, n.name AS table_name,
    lag(i.state) OVER w AS previous_state, lag(t.name) OVER w AS previous_name,
    i.first_snapshot = 1 + lag(i.last_snapshot) OVER w AS follows,
    lead(i.first_snapshot) OVER w AS next_snapshot,
    (SELECT max(l.last_snapshot) FROM _net_life l WHERE l.netns = i.netns AND l.net_table = i.net_table)
      AS looked_until
  FROM inet_span i
  JOIN tcp_state t USING (state)
  JOIN net_table_name n USING (net_table)
  WHERE i.inode <> 0 AND NOT EXISTS (SELECT 1 FROM fd_span f WHERE f.socket_inode = i.inode
    AND f.first_snapshot <= i.last_snapshot AND f.last_snapshot >= i.first_snapshot)
  WINDOW w AS (PARTITION BY i.netns, i.net_table, i.inode, i.local, i.remote ORDER BY i.first_snapshot)
), event AS (
  SELECT netns, inode, first_snapshot AS snapshot, 20 AS place,
    CASE WHEN previous_state IS NULL THEN 'listed' WHEN follows AND state <> previous_state THEN 'state'
      ELSE 'listed-again' END AS kind,
    CASE WHEN follows AND state <> previous_state
      THEN printf('state %s became %s', previous_name, state_name)
      ELSE printf('%slisted in %s: %s%s %s; no recorded fd holds it',
                  iif(previous_state IS NULL, '', 'again '), table_name, local,
                  iif(state = 10, '', ' -> ' || remote), state_name) END AS event
  FROM span
  UNION ALL
  SELECT netns, inode, last_snapshot + 1, 30, 'unlisted',
    printf('%s lists it no more', table_name)
  FROM span
  WHERE last_snapshot < looked_until AND next_snapshot IS NOT last_snapshot + 1
)
SELECT n.inode AS netns, e.inode,
  (SELECT z.taken_at FROM snapshot z WHERE z.id = (SELECT min(i.first_snapshot) FROM span i
     WHERE i.netns = e.netns AND i.inode = e.inode)) AS first_seen,
  (SELECT z.taken_at FROM snapshot z WHERE z.id = (SELECT max(i.last_snapshot) FROM span i
     WHERE i.netns = e.netns AND i.inode = e.inode)) AS last_seen,
  e.snapshot, s.taken_at AS at, e.place, e.kind, e.event
FROM event e
JOIN netns n ON n.id = e.netns
JOIN snapshot s ON s.id = e.snapshot;
