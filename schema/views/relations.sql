-- How fds, epolls and connections hang together when they were last looked at.

-- The sockets that more than one fd holds: inherited through fork, duplicated, or passed on.
--   inode, last_snapshot   together they tell the socket: the number alone can be used again
--   process, pid, start_ticks, comm, fd, verdict, local, remote
--   holders            how many fds hold the socket
--   process_count      of how many processes
CREATE TABLE socket_holder AS
WITH held AS (
  SELECT s.inode, s.process, s.pid, s.start_ticks, s.comm, s.fd, s.verdict, s.local, s.remote,
    s.last_snapshot, s.protocol
  FROM sockets s
  -- Most numbers were held by one fd only.
  WHERE s.open_at_end AND s.inode IN (SELECT socket_inode FROM fd_span WHERE socket_inode IS NOT NULL
                    GROUP BY socket_inode HAVING count(*) > 1)
), counted AS (
  -- Only what was seen in one and the same snapshot, and is described alike, is one socket for certain.
  SELECT inode, last_snapshot, protocol, local, remote, count(*) AS holders,
    count(DISTINCT process) AS process_count
  FROM held
  GROUP BY inode, last_snapshot, protocol, local, remote
  HAVING count(*) > 1
)
SELECT h.inode, h.last_snapshot, h.process, h.pid, h.start_ticks, h.comm, h.fd, h.verdict, h.local,
  h.remote, c.holders, c.process_count
FROM held h
JOIN counted c ON c.inode = h.inode AND c.last_snapshot = h.last_snapshot
  AND c.protocol IS h.protocol AND c.local IS h.local AND c.remote IS h.remote;
CREATE INDEX _socket_holder_by_process ON socket_holder (process);
CREATE INDEX _socket_holder_by_inode ON socket_holder (inode, last_snapshot);

-- The processes that a process comes from, as far as they are recorded.   process, ancestor
CREATE TABLE _ancestor AS
WITH RECURSIVE parent AS (
  SELECT DISTINCT s.process, p.process AS parent
  FROM process_span s
  JOIN processes c ON c.process = s.process
  JOIN processes p ON p.pid = s.parent_pid AND p.process <> s.process
    AND p.start_ticks <= c.start_ticks AND p.first_snapshot <= s.last_snapshot
    AND p.last_snapshot >= s.first_snapshot
), ancestor AS (
  SELECT process, parent AS ancestor FROM parent
  UNION
  SELECT a.process, p.parent FROM ancestor a JOIN parent p ON p.process = a.ancestor
)
SELECT process, ancestor FROM ancestor;
CREATE INDEX _ancestor_by_process ON _ancestor (process);

-- Epoll registrations whose fd number is closed or names another file. An epoll that was inherited through
-- fork also shows what the parent registered, under the parent's numbers: that is told of the parent
-- alone, if it is recorded.
--   process, pid, start_ticks, comm
--   fd                 the epoll
--   watched_fd         the number under which the file was added
--   watched_inode      of the file that is watched
--   now                what the number names now; NULL: nothing
CREATE VIEW stale_watch AS
SELECT w.process, p.pid, p.start_ticks, p.comm, w.fd, w.watched_fd, w.inode AS watched_inode,
  f.target AS now
FROM epoll_watch_span w
JOIN processes p USING (process)
JOIN process_fds r ON r.process = w.process AND w.last_snapshot = r.last_snapshot
LEFT JOIN fd_span f ON f.process = w.process AND f.fd = w.watched_fd
  AND r.last_snapshot BETWEEN f.first_snapshot AND f.last_snapshot
WHERE w.inode IS NOT NULL AND (f.id IS NULL OR (f.inode IS NOT NULL AND f.inode <> w.inode))
  AND NOT EXISTS (SELECT 1 FROM _left_out_watched l WHERE l.process = w.process AND l.fd = w.watched_fd
                  AND l.inode = w.inode)
  -- The epoll is read before most of the fds that it watches: what was closed in between looks like this
  -- in one snapshot, and is gone from the epoll in the next.
  AND (r.first_snapshot = r.last_snapshot OR (w.first_snapshot < w.last_snapshot AND NOT EXISTS (
    SELECT 1 FROM fd_span g WHERE g.process = w.process AND g.fd = w.watched_fd AND g.inode = w.inode
      AND w.last_snapshot - 1 BETWEEN g.first_snapshot AND g.last_snapshot)))
  AND NOT EXISTS (
    SELECT 1 FROM _ancestor a
    JOIN epoll_watch_span o ON o.process = a.ancestor AND o.fd = w.fd AND o.watched_fd = w.watched_fd
      AND o.inode = w.inode AND o.device IS w.device AND o.data IS w.data
      AND o.first_snapshot <= w.last_snapshot AND o.last_snapshot >= w.first_snapshot
    JOIN fd_span e ON e.process = w.process AND e.fd = w.fd AND NOT e.was_opened
      AND w.last_snapshot BETWEEN e.first_snapshot AND e.last_snapshot
    WHERE a.process = w.process);

-- The last snapshot in which a socket table of a namespace was read whole, if it is in the last recording, and the first of
-- that recording since which the table was looked after without a break.
--   netns (netns.id), net_table, snapshot, since
CREATE VIEW _last_look AS
SELECT z.netns, z.net_table, max(z.last_snapshot) AS snapshot,
  max((SELECT max(l.first_snapshot) FROM _net_life l WHERE l.netns = z.netns AND l.net_table = z.net_table),
    (SELECT max(first_snapshot) FROM recording)) AS since
FROM net_table_span z
WHERE z.status = 1
GROUP BY z.netns, z.net_table
HAVING max(z.last_snapshot) >= (SELECT max(first_snapshot) FROM recording);

-- TCP connections at the ports on which recorded processes listen that none of their fds holds, in the
-- last snapshot of each namespace.
--   netns              inode number of the namespace
--   local_port
--   state              of the table; TIME_WAIT rows too
--   holder             nobody: the kernel alone has it (in the accept queue when ESTABLISHED or CLOSE_WAIT,
--                      closed by the program when FIN_WAIT or TIME_WAIT); not recorded: an fd of a process that is not
--                      recorded, or in flight to one over a UNIX socket
--   count
CREATE VIEW connection_without_fd AS
WITH own_port AS (
  SELECT DISTINCT s.netns, s.local_port
  FROM sockets s
  WHERE s.open_at_end AND s.last_state = 'LISTEN' AND s.verdict IN ('listening', 'unlisted')
)
SELECT n.inode AS netns, i.local_port, t.name AS state,
  iif(i.inode = 0, 'nobody', 'not recorded') AS holder, count(*) AS count
FROM inet_span i
JOIN netns n ON n.id = i.netns
JOIN tcp_state t USING (state)
JOIN own_port l ON l.netns = n.inode AND l.local_port = i.local_port
JOIN _last_look k ON k.netns = i.netns AND k.net_table = i.net_table AND k.snapshot = i.last_snapshot
WHERE i.net_table IN (1, 2) AND i.state <> 10
  AND NOT EXISTS (SELECT 1 FROM fd_span f WHERE f.socket_inode = i.inode
                  AND i.last_snapshot BETWEEN f.first_snapshot AND f.last_snapshot)
GROUP BY 1, 2, 3, 4
UNION ALL
SELECT n.inode, w.local_port, 'TIME_WAIT', 'nobody', w.count
FROM time_wait_change w
JOIN netns n ON n.id = w.netns
JOIN own_port l ON l.netns = n.inode AND l.local_port = w.local_port
JOIN _last_look k ON k.netns = w.netns AND k.net_table = w.net_table
-- What was counted before a gap tells nothing of the time after it.
WHERE w.count > 0 AND w.snapshot >= k.since AND w.snapshot >= (SELECT max(first_snapshot) FROM recording)
  AND w.snapshot = (SELECT max(snapshot) FROM time_wait_change x WHERE x.netns = w.netns
                    AND x.net_table = w.net_table AND x.local_port = w.local_port);

-- Connections that the kernel has made and no program has accepted yet, or ever: rows of inode 0 in
-- ESTABLISHED, or in CLOSE_WAIT where the client has ended its side meanwhile. (One that a program has closed goes
-- on in FIN_WAIT or LAST_ACK.) They have no fd, and belong to the listener of their port. Those that
-- the client has reset stay in the queue too, and no table lists them.
--   netns              inode number of the namespace
--   net_table, local, local_port, remote
--   peer               remote without its port
--   first_snapshot, last_snapshot   of the connection so
--   state              ESTABLISHED, CLOSE_WAIT
--   is_at_end          1: it was so when its namespace was last looked at, as connection_without_fd
CREATE VIEW waiting_connection AS
SELECT n.inode AS netns, i.net_table, i.local, i.local_port, i.remote,
  substr(i.remote, 1, length(i.remote) - length(i.remote_port) - 1) AS peer, i.first_snapshot,
  i.last_snapshot, t.name AS state, k.snapshot IS i.last_snapshot AS is_at_end
FROM inet_span i
JOIN netns n ON n.id = i.netns
JOIN tcp_state t USING (state)
LEFT JOIN _last_look k ON k.netns = i.netns AND k.net_table = i.net_table
WHERE i.inode = 0 AND i.state IN (1, 8) AND i.net_table IN (1, 2);

-- When the dead sockets of a process last carried data, each once, however many of its fds hold it: the history of a leak
-- from before the recording.
--   process, peer (address), local_port, last_data_ns, last_data_at
CREATE VIEW last_data AS
SELECT s.process, s.remote_address AS peer, s.local_port, min(a.last_data_ns) AS last_data_ns, s.last_data_at
FROM sockets s
JOIN verdict_span v ON v.id = s.id AND v.last_snapshot = s.last_snapshot AND v.verdict = 'outlived'
JOIN _autopsy_detail a ON a.autopsy = v.autopsy
WHERE s.open_at_end AND s.verdict = 'outlived' AND s.last_data_at IS NOT NULL
GROUP BY s.process, s.inode, s.local, s.remote;

-- Processes by what they run, for `restart`.
--   program            a number: comm and exe; command: with cmdline
CREATE TABLE _program AS
SELECT process, pid, parent_pid, start_ticks, first_snapshot, last_snapshot, ended_by,
  dense_rank() OVER (ORDER BY comm, exe) AS program, dense_rank() OVER (ORDER BY comm, exe, cmdline) AS command
FROM processes
WHERE comm IS NOT NULL;
CREATE INDEX _program_by_start ON _program (program, first_snapshot);
CREATE INDEX _program_by_pid ON _program (program, pid);

-- How many processes of a program, or of a command, had come and gone up to a snapshot.
--   crowd              program, or -command
CREATE TABLE _crowd AS
WITH event AS (
  SELECT program, command, first_snapshot AS snapshot, 1 AS started, 0 AS ended FROM _program
  UNION ALL
  SELECT program, command, ended_by, 0, 1 FROM _program WHERE ended_by IS NOT NULL
), crowded AS (
  SELECT program AS crowd, snapshot, started, ended FROM event
  UNION ALL
  SELECT -command, snapshot, started, ended FROM event
)
SELECT crowd, snapshot, sum(sum(started)) OVER w AS started, sum(sum(ended)) OVER w AS ended
FROM crowded
GROUP BY crowd, snapshot
WINDOW w AS (PARTITION BY crowd ORDER BY snapshot);
CREATE UNIQUE INDEX _crowd_by_snapshot ON _crowd (crowd, snapshot);

-- Processes that ended, each with the one of the same name and program that took its place: of several that came in one
-- snapshot those of the same command line first, in their order. Not commands that are run again and again, or by other
-- command lines: they live no longer than the grace period, listen nowhere and come near no limit. Where all processes are
-- recorded none of these.
--   old, new           process; each at most once
--   snapshot           the first with the new one
CREATE TABLE restart AS
WITH ended AS (
  SELECT a.*, (SELECT min(c.first_snapshot) FROM _program c WHERE c.program = a.program
      AND c.first_snapshot >= a.last_snapshot AND c.first_snapshot > a.first_snapshot) AS snapshot,
    EXISTS (SELECT 1 FROM json_each(iif(json_valid(r.options), r.options, '[]')) o WHERE o.value = '--all') AS is_of_all,
    coalesce(z.boottime_ns - a.start_ticks * 1e9 / r.clock_ticks_per_second <= 1000000 * g.value, 0)
      AND a.process NOT IN (SELECT process FROM _nearest_limit)
      AND a.process NOT IN (SELECT process FROM _socket WHERE open_at_end AND verdict = 'listening') AS is_command
  FROM _program a
  JOIN setting g ON g.name = 'grace_ms'
  JOIN snapshot z ON z.id = a.last_snapshot
  JOIN recording r ON r.id = z.recording
  WHERE a.ended_by IS NOT NULL
), old AS MATERIALIZED (
  SELECT *, sum(is_command) OVER (PARTITION BY program) AS commands,
    row_number() OVER (PARTITION BY command, snapshot ORDER BY last_snapshot DESC, start_ticks, pid) AS place
  FROM ended
), new AS MATERIALIZED (
  SELECT *, row_number() OVER (PARTITION BY command, first_snapshot ORDER BY start_ticks, pid) AS place
  FROM _program
), alike AS MATERIALIZED (
  SELECT a.process AS old, b.process AS new
  FROM old a
  JOIN new b ON b.command = a.command AND b.first_snapshot = a.snapshot AND b.place = a.place
), old_left AS (
  SELECT *, row_number() OVER (PARTITION BY program, snapshot ORDER BY last_snapshot DESC, start_ticks, pid) AS number
  FROM old
  WHERE process NOT IN (SELECT old FROM alike)
), new_left AS (
  SELECT *, row_number() OVER (PARTITION BY program, first_snapshot ORDER BY start_ticks, pid) AS number
  FROM new
  WHERE process NOT IN (SELECT new FROM alike)
), pair AS (
  SELECT old, new FROM alike
  UNION ALL
  SELECT a.process, b.process
  FROM old_left a
  JOIN new_left b ON b.program = a.program AND b.first_snapshot = a.snapshot AND b.number = a.number
), known AS (
  -- Who else may have gone on meanwhile: only what runs by the same command line, if the two do.
  SELECT a.*, b.process AS new, b.parent_pid AS new_parent_pid, b.command = a.command AS is_same,
    iif(b.command = a.command, -a.command, a.program) AS crowd
  FROM pair p
  JOIN old a ON a.process = p.old
  JOIN _program b ON b.process = p.new
), alone AS (
  -- One of several workers that come and go is no restart. Who starts them again is none of them. Nobody came between
  -- the last snapshot of the old one and the first of the new one.
  SELECT k.*
  FROM known k
  WHERE (SELECT c.started FROM _crowd c WHERE c.crowd = k.crowd AND c.snapshot <= k.last_snapshot
      ORDER BY c.snapshot DESC LIMIT 1)
    - coalesce((SELECT c.ended FROM _crowd c WHERE c.crowd = k.crowd AND c.snapshot <= k.snapshot
      ORDER BY c.snapshot DESC LIMIT 1), 0)
    - (k.ended_by > k.snapshot) - (k.snapshot <= k.last_snapshot)
    - (SELECT count(*) FROM _program c WHERE c.program = k.program AND c.pid IN (k.parent_pid, k.new_parent_pid)
      AND c.process NOT IN (k.process, k.new) AND (c.command = k.command OR NOT k.is_same)
      AND c.first_snapshot <= k.last_snapshot AND coalesce(c.ended_by > k.snapshot, 1)) <= 0
)
SELECT process AS old, new, snapshot
FROM alone
WHERE NOT is_command OR (is_same AND commands <= 3 AND NOT is_of_all)
ORDER BY snapshot, old;
DROP TABLE _crowd;
DROP TABLE _program;

-- Connections in CLOSE_WAIT when they were last looked at: the peer has ended its side (FIN), the program
-- has not closed.
--   process, pid, start_ticks, fd, inode, local, remote
--   since              the first snapshot that lists it so without a break
--   seconds            from then to the last
--   unread             bytes that the program has not read, in the last; the end of the stream is one
--   stays              1: for longer than the grace period
CREATE VIEW close_wait AS
SELECT s.process, s.pid, s.start_ticks, s.fd, s.inode, s.local, s.remote, a.taken_at AS since,
  round((b.boottime_ns - a.boottime_ns) / 1e9, 3) AS seconds,
  coalesce((SELECT q.rx_queue FROM inet_queue_span q WHERE q.inode = s.inode
              AND q.net_table = s.net_table AND q.netns IN (SELECT n.id FROM netns n WHERE n.inode = s.netns)
              AND s.last_snapshot BETWEEN q.first_snapshot AND q.last_snapshot), 0) AS unread,
  b.boottime_ns - a.boottime_ns > 1000000 * (SELECT value FROM setting WHERE name = 'grace_ms')
    AS stays
FROM sockets s
JOIN verdict_span v ON v.id = s.id AND v.verdict = 'peer-closed' AND v.last_snapshot = s.last_snapshot
JOIN snapshot a ON a.id = v.first_snapshot
JOIN snapshot b ON b.id = v.last_snapshot
WHERE s.verdict = 'peer-closed' AND s.open_at_end;

-- Connections that the program has shut down (shutdown(), for its fd is open) when they were last looked at: its side is
-- ended, and it has not closed. While the fd is open the kernel has no timeout for that.
--   process, pid, start_ticks, fd, inode, local, remote
--   state              FIN_WAIT1, FIN_WAIT2, CLOSING, LAST_ACK
--   since              the first snapshot that lists it in one of these without a break
--   seconds            from then to the last
--   stays              1: for longer than the grace period
CREATE VIEW half_closed AS
SELECT s.process, s.pid, s.start_ticks, s.fd, s.inode, s.local, s.remote, s.last_state AS state, a.taken_at AS since,
  round((b.boottime_ns - a.boottime_ns) / 1e9, 3) AS seconds,
  b.boottime_ns - a.boottime_ns > 1000000 * (SELECT value FROM setting WHERE name = 'grace_ms') AS stays
FROM sockets s
JOIN verdict_span v ON v.id = s.id AND v.verdict = 'closing' AND v.last_snapshot = s.last_snapshot
JOIN snapshot a ON a.id = v.first_snapshot
JOIN snapshot b ON b.id = v.last_snapshot
WHERE s.verdict = 'closing' AND s.open_at_end AND s.last_state <> 'CLOSE';

-- The queues of ESTABLISHED connections that are open at the end, as long as they stayed the same.
--   id, process, pid, start_ticks, fd, inode, local, remote   as in sockets
--   first, last        the snapshots that list them so while the fd was there
--   end                the last snapshot with the fd
--   the rest           as in inet_queue_span
CREATE VIEW _open_queue AS
SELECT s.id, s.process, s.pid, s.start_ticks, s.fd, s.inode, s.local, s.remote, s.last_snapshot AS end, q.tx_queue,
  q.rx_queue, q.retransmits, q.probes, max(q.first_snapshot, s.first_snapshot) AS first, q.last_snapshot AS last
FROM sockets s
JOIN netns n ON n.inode = s.netns
JOIN inet_queue_span q ON q.inode = s.inode AND q.net_table = s.net_table AND q.netns = n.id
  AND q.first_snapshot <= s.last_snapshot AND q.last_snapshot >= s.first_snapshot
WHERE s.verdict = 'connected' AND s.last_state = 'ESTABLISHED' AND s.open_at_end;

-- ESTABLISHED connections at the end with data that the program has not read.
--   process, pid, start_ticks, fd, inode, local, remote
--   unread             bytes in the last snapshot
--   since              the first snapshot since which some were unread all the time, and never fewer than before
--   seconds            from then to the last
--   stays              1: for longer than the grace period
CREATE VIEW unread_data AS
WITH queue AS (
  SELECT * FROM _open_queue WHERE inode IN (SELECT inode FROM _busy_inode)
), stretch AS (
  SELECT *, sum(starts) OVER (PARTITION BY id ORDER BY first) AS number
  FROM (SELECT *, coalesce(rx_queue < lag(rx_queue) OVER w OR first <> 1 + lag(last) OVER w OR lag(rx_queue) OVER w = 0, 1)
          AS starts
        FROM queue WINDOW w AS (PARTITION BY id ORDER BY first))
), still AS (
  SELECT *, min(first) AS since_snapshot, max(rx_queue) AS unread
  FROM stretch
  GROUP BY id, number
  HAVING max(last) >= end AND max(rx_queue) > 0
)
SELECT t.process, t.pid, t.start_ticks, t.fd, t.inode, t.local, t.remote, t.unread, a.taken_at AS since,
  round((b.boottime_ns - a.boottime_ns) / 1e9, 3) AS seconds,
  b.boottime_ns - a.boottime_ns > 1000000 * (SELECT value FROM setting WHERE name = 'grace_ms') AS stays
FROM still t
JOIN snapshot a ON a.id = t.since_snapshot
JOIN snapshot b ON b.id = t.end;
