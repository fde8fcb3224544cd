-- Sockets that several processes hold, as those that a child inherits through fork.

-- Processes whose sockets without a live peer are all held by one older process too, which speaks for
-- them: findings on them are told of that one. So are those on processes that have them from one
-- (inherited_socket).
--   process, held_by   process.id
CREATE TABLE _held_by AS
WITH held AS (
  SELECT process, first_value(process) OVER (PARTITION BY inode, last_snapshot, local, remote
                                             ORDER BY start_ticks, pid, process) AS owner
  FROM socket_holder
  WHERE verdict IN ('outlived', 'peer-closed') AND process_count > 1
), counted AS (
  SELECT process, min(owner) AS owner, max(owner) AS other, count(*) AS fds
  FROM held
  GROUP BY process
)
SELECT process, owner AS held_by
FROM counted c
WHERE owner = other AND owner <> process
  AND fds = (SELECT total(v.count) FROM verdict_at_end v WHERE v.process = c.process
             AND v.verdict IN ('outlived', 'peer-closed'));
CREATE UNIQUE INDEX _held_by_by_process ON _held_by (process);

-- Sockets without a live peer that processes are left with which they inherited through fork: the process that
-- they come from has closed its own fd, or holds it still.
--   process, pid, start_ticks, comm   which holds the socket at the end
--   fd, inode, verdict, local, remote
--   origin             process.id of the oldest recorded process that it comes from and that was seen with such a
--                      socket of it
--   origin_holds       1: the origin itself has it open too
--   is_listed          1: the origin itself was seen with this socket, earlier or at the same time; 0: it was not,
--                      but the fd was there when the process was first looked at, which began while the origin
--                      was recorded, and at least half of the process's such sockets are listed
CREATE TABLE inherited_socket AS
WITH held AS MATERIALIZED (
  -- What was open at the first look at a process that comes from a recorded one.
  SELECT s.process, s.pid, s.start_ticks, s.comm, s.fd, s.inode, s.verdict, s.local, s.remote, s.id,
    s.last_snapshot, f.was_opened
  FROM sockets s
  JOIN fd_span f ON f.id = s.id
  WHERE s.open_at_end AND s.verdict IN ('outlived', 'peer-closed')
    AND EXISTS (SELECT 1 FROM _ancestor a WHERE a.process = s.process)
), proven AS (
  -- Of several processes that it comes from, the oldest one that had it. Those that only its other descendants
  -- show may never have had it.
  SELECT h.id, a.ancestor AS origin,
    row_number() OVER (PARTITION BY h.id ORDER BY p.start_ticks, p.pid, a.ancestor) AS place
  FROM held h
  JOIN _ancestor a ON a.process = h.process
  JOIN processes p ON p.process = a.ancestor
  WHERE NOT h.was_opened AND EXISTS (SELECT 1 FROM fd_span o WHERE o.socket_inode = h.inode
    AND o.process = a.ancestor AND o.first_snapshot <= h.last_snapshot)
), judged AS (
  SELECT h.process, count(*) AS fds, count(v.id) AS proven, min(v.origin) AS origin,
    max(v.origin) AS other_origin, total(h.was_opened) AS opened
  FROM held h
  LEFT JOIN proven v ON v.id = h.id AND v.place = 1
  GROUP BY h.process
), told AS (
  -- Only where one process can be named, and at least half are seen to come from it.
  SELECT j.process, j.origin
  FROM judged j
  JOIN processes c ON c.process = j.process
  JOIN processes o ON o.process = j.origin
  WHERE j.origin = j.other_origin AND j.opened = 0 AND j.proven * 2 >= j.fds
    AND (j.proven = j.fds OR c.first_snapshot > o.first_snapshot)
)
SELECT h.process, h.pid, h.start_ticks, h.comm, h.fd, h.inode, h.verdict, h.local, h.remote, t.origin,
  EXISTS (SELECT 1 FROM fd_span x WHERE x.socket_inode = h.inode AND x.process = t.origin
    AND x.last_snapshot >= h.last_snapshot) AS origin_holds,
  v.id IS NOT NULL AS is_listed
FROM told t
JOIN held h USING (process)
LEFT JOIN proven v ON v.id = h.id AND v.place = 1;
CREATE INDEX _inherited_socket_by_pid ON inherited_socket (pid, start_ticks, origin_holds);

INSERT OR REPLACE INTO _held_by
SELECT DISTINCT process, origin FROM inherited_socket;
