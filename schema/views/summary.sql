-- One row a process, a kind, a peer: what the report is made of.

-- How many fds a process had.
--   process
--   fds_first, fds_last        in the first and last snapshot in which they were read
--   fds_peak, peak_snapshot    the most there were, and the first snapshot with so many
--   soft_limit, hard_limit     of open files, at the end; NULL: unlimited, or unread
--   limit_used                 fds at the end whose numbers are below the soft limit (see limit_use)
--   limit_reached              the first snapshot in which no number below the soft limit is free; NULL: never seen
--   limit_before               the last one before that in which its fds were read; NULL: none
--   reached_limit              the soft limit in limit_reached
--   is_full                    1: no number below the soft limit is free at the end
--   growth_until               where the growth ended because the limit was reached: the first snapshot without
--                              a free number, under the highest limit that was reached; or, where none was
--                              (limit_reached is NULL), the first since which there are fewer than
--                              threshold.few_free, though its pace would have taken threshold.seen_growth; NULL: never, or it went
--                              on under another limit
--   limit_changed              1: the soft limit was changed while it was recorded
--   limit_since                the first snapshot after the last change of it; NULL: there was none
--   first_snapshot, last_snapshot   in which the fds were read
CREATE TABLE process_fds AS
WITH bound AS (
  SELECT process, min(snapshot) AS first_snapshot, max(snapshot) AS last_snapshot, max(fds) AS fds_peak
  FROM fd_count
  GROUP BY process
), fullest AS (
  SELECT process, min(snapshot) AS limit_reached, max(soft_limit) AS highest
  FROM limit_use
  WHERE used >= soft_limit
  GROUP BY process
), nearly AS (
  -- Since when hardly a number is free, without a break up to the end.
  SELECT b.process, b.first_snapshot, b.last_snapshot, (SELECT min(c.snapshot) FROM fd_count c
    WHERE c.process = b.process AND c.snapshot > (SELECT max(o.snapshot) FROM limit_use o
      WHERE o.process = b.process AND coalesce(o.soft_limit <> u.soft_limit OR o.used <= u.soft_limit - t.few_free, 1)))
    AS snapshot
  FROM bound b
  JOIN limit_use u ON u.process = b.process AND u.snapshot = b.last_snapshot
  JOIN threshold t
  WHERE u.used < u.soft_limit AND u.used > u.soft_limit - t.few_free
), stuck AS (
  -- At the pace before it would long have taken those, too.
  SELECT n.process, n.snapshot
  FROM nearly n
  JOIN threshold t
  JOIN fd_count c ON c.process = n.process AND c.snapshot = n.first_snapshot
  JOIN fd_count d ON d.process = n.process AND d.snapshot = n.snapshot
  JOIN snapshot a ON a.id = n.first_snapshot
  JOIN snapshot s ON s.id = n.snapshot
  JOIN snapshot z ON z.id = n.last_snapshot
  WHERE 1.0 * (d.fds - c.fds) * (z.boottime_ns - s.boottime_ns) >= t.seen_growth * (s.boottime_ns - a.boottime_ns)
), stopped AS (
  SELECT e.process, e.limit_reached, (SELECT min(u.snapshot) FROM limit_use u WHERE u.process = e.process
    AND u.soft_limit = e.highest AND u.used >= u.soft_limit) AS snapshot
  FROM fullest e
)
SELECT b.process, a.fds AS fds_first, z.fds AS fds_last, b.fds_peak,
  (SELECT min(snapshot) FROM fd_count c WHERE c.process = b.process AND c.fds = b.fds_peak)
    AS peak_snapshot,
  z.soft_limit, z.hard_limit, u.used AS limit_used, t.limit_reached,
  (SELECT min(r.last_snapshot, t.limit_reached - 1) FROM _fd_read_span r WHERE r.process = b.process
     AND r.first_snapshot < t.limit_reached ORDER BY r.first_snapshot DESC LIMIT 1) AS limit_before,
  (SELECT c.soft_limit FROM fd_count c WHERE c.process = b.process AND c.snapshot = t.limit_reached)
    AS reached_limit,
  coalesce(u.used >= u.soft_limit, 0) AS is_full,
  coalesce((SELECT c.snapshot FROM fd_count c WHERE c.process = b.process AND c.snapshot = t.snapshot
     AND c.fds >= z.fds), k.snapshot) AS growth_until,
  (SELECT count(DISTINCT coalesce(l.soft, 'unlimited')) > 1 FROM limit_span l
   WHERE l.process = b.process AND l.resource = 'Max open files') AS limit_changed,
  (SELECT max(l.first_snapshot) FROM limit_span l WHERE l.process = b.process AND l.resource = 'Max open files'
     AND l.soft IS NOT (SELECT o.soft FROM limit_span o WHERE o.process = l.process AND o.resource = l.resource
       AND o.first_snapshot < l.first_snapshot ORDER BY o.first_snapshot DESC LIMIT 1)
     AND EXISTS (SELECT 1 FROM limit_span o WHERE o.process = l.process AND o.resource = l.resource
       AND o.first_snapshot < l.first_snapshot)) AS limit_since,
  b.first_snapshot, b.last_snapshot
FROM bound b
JOIN fd_count a ON a.process = b.process AND a.snapshot = b.first_snapshot
JOIN fd_count z ON z.process = b.process AND z.snapshot = b.last_snapshot
JOIN limit_use u ON u.process = b.process AND u.snapshot = b.last_snapshot
LEFT JOIN stopped t ON t.process = b.process
LEFT JOIN stuck k ON k.process = b.process AND t.process IS NULL;
CREATE UNIQUE INDEX _process_fds_by_id ON process_fds (process);

-- How many fds of each kind a process had when it was last looked at.   process, kind, count
CREATE VIEW kind_at_end AS
SELECT process, kind, sum(count) AS count
FROM (
  SELECT f.process, f.kind, count(*) AS count
  FROM fd_span f JOIN processes p USING (process)
  WHERE f.closed_by IS NULL OR f.closed_by IS p.ended_by
  GROUP BY f.process, f.kind
  UNION ALL
  SELECT process, name, sum(kept) FROM _left_out WHERE what = 'kind' AND kept > 0 GROUP BY process, name
)
GROUP BY process, kind;

-- How many socket fds of each verdict.   process, verdict, count
CREATE VIEW verdict_at_end AS
SELECT process, verdict, sum(count) AS count
FROM (
  SELECT process, verdict, count(*) AS count FROM _socket WHERE open_at_end GROUP BY process, verdict
  UNION ALL
  SELECT process, 'connected', sum(count) FROM _left_out_peer GROUP BY process
)
GROUP BY process, verdict;

-- The ports on which somebody listens. Of a namespace that was not read those that the sockets themselves show: no
-- port but such a one has connections to three peers.   netns (inode number), local_port
CREATE TABLE _listening_port AS
SELECT n.inode AS netns, i.local_port
FROM inet_span i JOIN netns n ON n.id = i.netns
WHERE i.state = 10 AND i.net_table IN (1, 2)
UNION
SELECT u.netns, s.local_port
FROM _of_unread_netns u
JOIN _socket s USING (id)
WHERE s.local_port IS NOT NULL
GROUP BY u.netns, s.local_port
HAVING count(DISTINCT s.remote) >= 3;
CREATE UNIQUE INDEX _listening_port_by_port ON _listening_port (netns, local_port);

-- The TCP sockets that a process had when it was last looked at, by whom they lead to.
--   process, verdict, proof, last_state
--   direction          in: the local port is one that somebody listens on; out: it is not
--   local_port         of in: that port; of out: NULL
--   peer               of in: the peer's address; of out: its address and port; NULL: unknown
--   count              fds
--   leaks              of these, those that outlived their connection for longer than the grace period
--   first_lost, last_lost      of outlived: the first and last time at which a connection was seen last;
--                      NULL: each was gone before the recording
--   first_data, last_data      of outlived: between which times data last moved; NULL: not told
CREATE VIEW peer_group AS
WITH socket AS (
  SELECT s.process, s.verdict, s.proof, s.last_state, s.local, s.local_port AS own_port, s.remote, s.remote_address,
    s.leak, s.connection_last_seen, s.last_data_at, EXISTS (SELECT 1 FROM _listening_port l
    WHERE l.netns = s.netns AND l.local_port = s.local_port) AS is_in
  FROM sockets s
  WHERE s.open_at_end AND s.verdict NOT IN ('other', 'listening')
), counted AS (
  SELECT process, verdict, proof, last_state, CASE WHEN local IS NULL THEN NULL
      WHEN is_in THEN 'in' ELSE 'out' END AS direction,
    CASE WHEN is_in THEN own_port END AS local_port,
    CASE WHEN is_in THEN remote_address ELSE remote END AS peer, 1 AS count, leak,
    CASE WHEN verdict = 'outlived' THEN connection_last_seen END AS lost,
    CASE WHEN verdict = 'outlived' THEN last_data_at END AS data
  FROM socket
  UNION ALL
  SELECT process, 'connected', NULL, 'ESTABLISHED', direction, local_port, peer, count, 0, NULL, NULL
  FROM _left_out_peer
)
SELECT process, verdict, proof, last_state, direction, local_port, peer, sum(count) AS count, sum(leak) AS leaks,
  min(lost) AS first_lost, max(lost) AS last_lost, min(data) AS first_data, max(data) AS last_data
FROM counted
-- Most differ in their peer: sorting is soon done with that first.
GROUP BY peer, process, verdict, proof, last_state, direction, local_port;

-- What the fds of a process at the end point to: paths, and addresses of sockets that are not TCP, those that differ in
-- their numbers only together, and ten paths or more of one folder that have one fd each, as those of temporary files.
--   process
--   name               the kind, or the protocol of a socket: as fd_class.name
--   target             /var/log/app-*.log (deleted), 0.0.0.0:* -> 192.0.2.1:53, /tmp/tmp*; a * is what they differ by
--   fds                how many
--   first_seen         of the oldest of them; UTC, ISO 8601
CREATE VIEW target_group AS
WITH open AS (
  SELECT f.process, f.kind AS name, f.target, NULL AS stem, f.first_snapshot
  FROM fd_span f
  JOIN processes p USING (process)
  WHERE (f.closed_by IS NULL OR f.closed_by IS p.ended_by)
    AND f.kind IN ('file', 'deleted-file', 'directory', 'char-device', 'block-device', 'fifo', 'memfd', 'other')
  UNION ALL
  SELECT process, coalesce(protocol, 'other'), coalesce(local, '(no name)') || coalesce(' -> ' || remote, ''),
    -- Of an address the port alone is a number that is not worth to be told each time.
    CASE WHEN local_port IS NOT NULL AND local LIKE '%:' || local_port
      THEN substr(local, 1, length(local) - length(local_port)) || '*' || coalesce(' -> ' || remote, '') END,
    first_snapshot
  FROM _socket
  WHERE open_at_end AND verdict = 'other'
), digits AS (
  SELECT process, name, target, first_snapshot, stem IS NULL AS is_digits, coalesce(stem,
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(target,
      '0', '*'), '1', '*'), '2', '*'), '3', '*'), '4', '*'), '5', '*'), '6', '*'), '7', '*'), '8', '*'), '9', '*')) AS stem
  FROM open
), stemmed AS (
  -- Runs of up to 64 of them become one.
  SELECT process, name, target, first_snapshot, is_digits, replace(replace(replace(replace(replace(replace(stem,
    '**', '*'), '**', '*'), '**', '*'), '**', '*'), '**', '*'), '**', '*') AS stem
  FROM digits
), ranged AS (
  SELECT process, name, stem, is_digits, min(target) AS low, max(target) AS high, count(*) AS fds, min(first_snapshot) AS first_snapshot
  FROM stemmed
  GROUP BY process, name, stem
), started AS (
  -- What the first and the last begin with all in between begin with; a number of which only a part is alike differs.
  SELECT *, iif(low = high OR NOT is_digits, '', (
      WITH RECURSIVE same(length) AS (
        SELECT 0
        UNION ALL
        SELECT length + 1 FROM same
        WHERE length < length(r.low) AND substr(r.low, 1, length + 1) = substr(r.high, 1, length + 1)
      ) SELECT rtrim(substr(r.low, 1, max(length)), '0123456789') FROM same)) AS start
  FROM ranged r
), alike AS (
  SELECT process, name, iif(low = high, low, start || substr(stem, 1 + length(
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(start, '0', '*'), '1', '*'), '2', '*'), '3', '*'), '4', '*'), '5', '*'), '6', '*'), '7', '*'), '8', '*'), '9', '*'), '**', '*'), '**', '*'), '**', '*'), '**', '*'), '**', '*'), '**', '*')))) AS target, fds, first_snapshot
  FROM started
), placed AS (
  -- The folder of a path that only one fd has; NULL: it is none.
  SELECT *, iif(target LIKE '% (deleted)', ' (deleted)', '') AS ending,
    iif(fds = 1 AND target LIKE '/%', rtrim(target, replace(target, '/', '')), NULL) AS folder
  FROM alike
), counted AS (
  SELECT *, folder IS NOT NULL AND count(*) OVER (PARTITION BY process, name, folder, ending) >= 10 AS is_one_of_many
  FROM placed
), merged AS (
  SELECT process, name, folder, ending, min(target) AS low, max(target) AS high, count(*) AS fds,
    min(first_snapshot) AS first_snapshot
  FROM counted
  WHERE is_one_of_many
  GROUP BY process, name, folder, ending
), grouped AS (
  SELECT process, name, target, fds, first_snapshot FROM counted WHERE NOT is_one_of_many
  UNION ALL
  -- What the first and the last begin with all in between begin with.
  SELECT process, name, (
      WITH RECURSIVE same(length) AS (
        SELECT length(m.folder)
        UNION ALL
        SELECT length + 1 FROM same
        WHERE length < length(m.low) AND substr(m.low, 1, length + 1) = substr(m.high, 1, length + 1)
      ) SELECT substr(m.low, 1, max(length)) FROM same) || '*' || ending, fds, first_snapshot
  FROM merged m
)
SELECT g.process, g.name, g.target, g.fds, s.taken_at AS first_seen
FROM grouped g
JOIN snapshot s ON s.id = g.first_snapshot;

-- Where an fd belongs when fds are counted: by what `fdanalyze diff --by` groups.
--   id                 fd_span.id
--   process, kind      as in fd_span
--   direction          of a TCP connection: in (to a port on which somebody listens), out; else NULL
--   peer               in: the peer's address; out: its address and port
--   port               in: the local port; out: the peer's
CREATE VIEW fd_group AS
SELECT id, process, kind, direction,
  CASE direction WHEN 'in' THEN remote_address WHEN 'out' THEN remote END AS peer,
  CASE direction WHEN 'in' THEN local_port
    WHEN 'out' THEN CAST(substr(remote, length(remote_address) + 2) AS INTEGER) END AS port
FROM (
  SELECT f.id, f.process, f.kind, s.local_port, s.remote, s.remote_address,
    CASE WHEN s.remote IS NULL OR s.verdict IN ('other', 'listening') THEN NULL
      WHEN EXISTS (SELECT 1 FROM _listening_port l WHERE l.netns = s.netns AND l.local_port = s.local_port)
        THEN 'in'
      ELSE 'out' END AS direction
  FROM fd_span f
  LEFT JOIN sockets s ON s.id = f.id
);

-- Through which table a process's connections were listed, at its end.
--   process, tcp, tcp6   how many fds, dead ones by the table that listed them last
--   alive                how many of them are listed at the end
CREATE VIEW listed_in AS
SELECT process, sum(tcp) AS tcp, sum(tcp6) AS tcp6, sum(alive) AS alive
FROM (
  SELECT process, sum(net_table = 1) AS tcp, sum(net_table = 2) AS tcp6,
    sum(verdict IN ('connected', 'peer-closed', 'closing')) AS alive
  FROM _socket
  WHERE open_at_end AND last_state IS NOT NULL
    AND verdict IN ('connected', 'peer-closed', 'closing', 'outlived')
  GROUP BY process
  UNION ALL
  SELECT process, sum(iif(net_table = 1, count, 0)), sum(iif(net_table = 2, count, 0)), sum(count)
  FROM _left_out_peer
  GROUP BY process
)
GROUP BY process;

-- What could not be read, each file once; of a process those of all its fds together.
--   operation
--   file               4711/exe, net:[4026531840]/tcp; 4711/fd/N: the links of fds
--   subject            one of the files: the first in the order of texts
--   pid, errno, detail
--   reason             errno in words: EACCES: permission denied; NULL: no call failed, see detail
--   count              how often
--   snapshots          in how many snapshots, from first_snapshot to last_snapshot
CREATE VIEW unreadable AS
WITH named AS (
  SELECT *, CASE WHEN subject GLOB '*/fd/[0-9]*' THEN substr(subject, 1, instr(subject, '/fd/') + 3) || 'N'
    WHEN subject GLOB '*/fdinfo/[0-9]*' THEN substr(subject, 1, instr(subject, '/fdinfo/') + 7) || 'N'
    ELSE subject END AS file
  FROM failure
)
SELECT f.operation, f.file, min(f.subject) AS subject, f.pid, f.errno,
  coalesce(e.words, 'error ' || f.errno) AS reason, f.detail, sum(f.count) AS count,
  count(DISTINCT f.snapshot) AS snapshots, min(f.snapshot) AS first_snapshot,
  max(f.snapshot) AS last_snapshot
FROM named f
LEFT JOIN errno_name e USING (errno)
GROUP BY f.operation, f.file, f.pid, f.errno, f.detail;

-- Processes that had fds at the end whose links could not be read, so that nothing is known of what they are.
--   process
--   fds                how many
CREATE VIEW unread_link AS
SELECT process, count AS fds FROM kind_at_end WHERE kind = 'unread';

-- Why fds of processes could not be read: the list of them, or their links.
--   process
--   reason             in words; NULL: not told
--   is_refused         1: for want of a right
CREATE VIEW unread_reason AS
SELECT process, coalesce(reason, detail) AS reason, errno IN (1, 13) IS 1 AS is_refused
FROM (
  -- The reading of fds first: of an old recorder one row can stand for several files.
  SELECT p.process, u.reason, u.detail, u.errno, row_number() OVER (PARTITION BY p.process
    ORDER BY u.file GLOB '*/fd' DESC, u.file GLOB '*/fd/N' DESC, u.count DESC, u.reason) AS rank
  FROM processes p
  JOIN unreadable u ON u.pid = p.pid AND u.first_snapshot <= p.last_snapshot
    AND u.last_snapshot >= p.first_snapshot
    AND (u.operation = 'readlink' OR u.file GLOB '*/fd')
)
WHERE rank = 1;

-- The grace period as one says it: 30 s, 500 ms, 10 d.
--   words
--   twice, twice_option   twice as long, as one says it and as an option takes it: 60 s, 60s
CREATE VIEW _grace AS
WITH length AS (
  SELECT part, CASE WHEN ms > 0 AND ms % 86400000 = 0 THEN printf('%d d', ms / 86400000)
    WHEN ms > 0 AND ms % 3600000 = 0 THEN printf('%d h', ms / 3600000)
    WHEN ms >= 120000 AND ms % 60000 = 0 THEN printf('%d min', ms / 60000)
    WHEN ms % 1000 = 0 THEN printf('%d s', ms / 1000)
    ELSE printf('%d ms', ms) END AS words
  FROM (SELECT 1 AS part, value AS ms FROM setting WHERE name = 'grace_ms'
        UNION ALL SELECT 2, 2 * value FROM setting WHERE name = 'grace_ms')
)
SELECT a.words, b.words AS twice, replace(replace(b.words, ' ', ''), 'min', 'm') AS twice_option
FROM length a JOIN length b ON a.part = 1 AND b.part = 2;
