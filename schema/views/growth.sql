-- How numbers of fds grow: the slope of a process's number, its shape, and groups that only grow.

-- How fast the number of a process's fds grows, and when its limit is reached if that goes on. fdanalyze
-- works it out (analyze/growth.h) from at most 500 snapshots, evenly spread, of those in which the fds were
-- read; where the limit ended the growth (process_fds.growth_until) from those until then; where the limit
-- was changed and at least 5 came after that, from those.
--   process
--   points             how many snapshots it was worked out from
--   per_hour           median of the slopes between all pairs of them (Theil and Sen); NULL: see reason
--   low_per_hour, high_per_hour   the range: the middle 90 % of the slopes between those pairs that are at
--                      least a third of the time apart, the median, and the slope of the last third; down to
--                      zero where the growth has stopped
--   rate               the range in words
--   reason             why there is no rate; NULL: there is one
--   exhaustion_from, exhaustion_at, exhaustion_to   UTC: when the limit is reached at the highest rate, at
--                      the median and at the lowest, counted from the last snapshot and rounded to
--                      what the range allows; NULL: see forecast_reason
--   hours_left         to exhaustion_from
--   forecast_reason    why there is no forecast; NULL: there is one
--   since              the first snapshot that it was worked out from, where the limit was changed; NULL: the
--                      process's first
--   stopped_at         UTC: it grew, and stands still since then; NULL: it does not, or near its limit
--                      (threshold.near_limit_percent), where nobody can tell what stopped it
CREATE TABLE growth (
  process INTEGER PRIMARY KEY,
  points INTEGER,
  per_hour REAL,
  low_per_hour REAL,
  high_per_hour REAL,
  rate TEXT,
  reason TEXT,
  exhaustion_from TEXT,
  exhaustion_at TEXT,
  exhaustion_to TEXT,
  hours_left REAL,
  forecast_reason TEXT,
  since INTEGER,
  stopped_at TEXT
);

-- Each time the number of a process's fds changed from one snapshot to another.
--   process, snapshot, taken_at
--   before, fds        the number before and in this snapshot
--   change             the difference
CREATE TABLE fd_step AS
SELECT process, snapshot, taken_at, before, fds, fds - before AS change
FROM (
  SELECT c.process, c.snapshot, s.taken_at, c.fds,
    lag(c.fds) OVER (PARTITION BY c.process ORDER BY c.snapshot) AS before
  FROM fd_count c
  JOIN snapshot s ON s.id = c.snapshot
)
WHERE fds <> before;
CREATE INDEX _fd_step_by_process ON fd_step (process, snapshot);

-- What the curve of a process's number of fds looks like. Only for those that were read in at least 12
-- snapshots and had at least 20 fds more at the end, or when the limit was reached, than at first.
--   process
--   fds_first, fds_last   fds_last: at the end of what is judged
--   until              the last snapshot that is judged: where the limit ended the growth, that one
--   snapshots          how many were read until then
--   steps              in how many of them there were more fds than before
--   middle_fds         how many there were half-way
--   late_change        the difference between the most and the least fds in the second half
--   shape              plateau: 95 % of the growth was in the first half, and it stands still since, or
--                      growth.stopped_at tells since when; not where threshold.near_limit_percent of the limit are
--                      used, for the limit may have stopped it;
--                      steps: it grows, in less than an eighth of the snapshots, and hardly ever falls;
--                      steady: it grows through the whole time (growth.low_per_hour is above 0);
--                      uneven: none of these
CREATE VIEW growth_shape AS
WITH bound AS (
  SELECT process, first_snapshot, fds_first, growth_until,
    coalesce(limit_used * 100 >= soft_limit * (SELECT near_limit_percent FROM threshold), 0) AS is_near,
    coalesce(growth_until, last_snapshot) AS until
  FROM process_fds
), span AS (
  SELECT b.*, (SELECT sum(min(r.last_snapshot, b.until) - r.first_snapshot + 1) FROM _fd_read_span r
               WHERE r.process = b.process AND r.first_snapshot <= b.until) AS snapshots,
    (b.first_snapshot + b.until) / 2 AS middle,
    (SELECT fds FROM fd_count c WHERE c.process = b.process AND c.snapshot <= b.until
     ORDER BY c.snapshot DESC LIMIT 1) AS fds_last
  FROM bound b
), half AS (
  SELECT s.*, (SELECT fds FROM fd_count c WHERE c.process = s.process AND c.snapshot <= s.middle
               ORDER BY c.snapshot DESC LIMIT 1) AS middle_fds
  FROM span s
  WHERE snapshots >= 12 AND fds_last - fds_first >= (SELECT least_growth FROM threshold)
), counted AS (
  SELECT h.*,
    max(h.middle_fds, (SELECT max(fds) FROM fd_count c WHERE c.process = h.process
                       AND c.snapshot BETWEEN h.middle AND h.until))
      - min(h.middle_fds, (SELECT min(fds) FROM fd_count c WHERE c.process = h.process
                           AND c.snapshot BETWEEN h.middle AND h.until)) AS late_change,
    (SELECT count(*) FROM fd_step c WHERE c.process = h.process AND c.change > 0
       AND c.snapshot <= h.until) AS steps,
    (SELECT total(-change) FROM fd_step c WHERE c.process = h.process AND c.change < 0
       AND c.snapshot <= h.until) AS fallen
  FROM half h
)
SELECT process, fds_first, fds_last, until, snapshots, steps, middle_fds, late_change,
  CASE
    WHEN growth_until IS NULL AND (late_change * 20 <= fds_last - fds_first
      OR (SELECT stopped_at IS NOT NULL FROM growth g WHERE g.process = counted.process))
      THEN iif(is_near, 'uneven', 'plateau')
    WHEN steps > 1 AND steps * 8 < snapshots AND fallen * 10 <= fds_last - fds_first THEN 'steps'
    WHEN (SELECT low_per_hour > 0 FROM growth g WHERE g.process = counted.process) THEN 'steady'
    ELSE 'uneven'
  END AS shape
FROM counted;

-- Sockets that were seen with something in their queues, or with a timer.
CREATE TABLE _busy_inode AS
SELECT DISTINCT inode FROM inet_queue_change WHERE tx_queue > 0 OR rx_queue > 0 OR timer <> 0;
CREATE UNIQUE INDEX _busy_inode_by_inode ON _busy_inode (inode);

-- All fds of a process that hold one and the same socket, where that is more than one.
--   id                 fd_span.id
--   process, inode, verdict, remote   of the socket
--   is_spare           1: not the one that stands for the socket: that is the one that is open longest
CREATE TABLE _duplicate AS
WITH held AS (
  SELECT s.id, s.process, s.inode, s.verdict, s.remote, count(*) OVER w AS fds,
    row_number() OVER (w ORDER BY s.open_at_end DESC, s.first_snapshot, s.fd) AS place
  FROM _socket s
  WHERE s.inode IN (SELECT socket_inode FROM fd_span WHERE socket_inode IS NOT NULL GROUP BY socket_inode HAVING count(*) > 1)
  WINDOW w AS (PARTITION BY s.process, s.inode, s.protocol, s.local, s.remote)
)
SELECT id, process, inode, verdict, remote, place > 1 AS is_spare
FROM held
WHERE fds > 1;
CREATE INDEX _duplicate_by_id ON _duplicate (id);
CREATE INDEX _duplicate_by_process ON _duplicate (process, is_spare);

-- What the fds of a process are, for counting: fd_span.id with a class and a name. A socket that several of its fds hold
-- counts once in each class but dup.
--   class              kind: no sockets, by kind; socket: sockets without a connection, by protocol or
--                      verdict, but for those of which the kernel tells one (told_socket); pool: connections that the process made itself, by peer and port;
--                      idle: connections to a port on which somebody listens, ESTABLISHED, without a
--                      timer (so without keepalive) and with empty queues whenever they were seen, by port;
--                      dup: fds of one socket that has not lost its peer, where there are several, by its inode number
--   since              the first snapshot in which it was that
CREATE VIEW fd_class AS
SELECT f.id, f.process, 'kind' AS class, f.kind AS name, f.first_snapshot AS since
FROM fd_span f
WHERE f.kind NOT IN ('socket', 'unread')  -- what could not be read is of no kind
UNION ALL
SELECT s.id, s.process, 'socket', iif(s.verdict = 'other', coalesce(s.protocol, 'other'), s.verdict),
  -- Before that it was an attempt.
  iif(s.verdict = 'connect-failed', (SELECT max(s.first_snapshot, min(v.first_snapshot)) FROM verdict_span v
    WHERE v.id = s.id AND v.verdict = 'connect-failed'), s.first_snapshot)
FROM sockets s
WHERE s.verdict IN ('other', 'never-connected', 'connect-failed', 'unlisted', 'listening')
  AND s.id NOT IN (SELECT id FROM _duplicate WHERE is_spare)
  AND NOT EXISTS (SELECT 1 FROM told_socket t WHERE t.id = s.id)
UNION ALL
SELECT s.id, s.process, 'pool', s.remote, s.first_snapshot
FROM sockets s
WHERE s.verdict IN ('connected', 'closing', 'peer-closed') AND s.remote IS NOT NULL
  AND s.id NOT IN (SELECT id FROM _duplicate WHERE is_spare)
  AND NOT EXISTS (SELECT 1 FROM _listening_port l
                  WHERE l.netns = s.netns AND l.local_port = s.local_port)
UNION ALL
SELECT s.id, s.process, 'idle', printf('port %d', s.local_port), s.first_snapshot
FROM sockets s
WHERE s.verdict = 'connected' AND s.last_state = 'ESTABLISHED'
  AND s.id NOT IN (SELECT id FROM _duplicate WHERE is_spare)
  AND EXISTS (SELECT 1 FROM _listening_port l
              WHERE l.netns = s.netns AND l.local_port = s.local_port)
  AND NOT EXISTS (SELECT 1 FROM _busy_inode b WHERE b.inode = s.inode)
UNION ALL
SELECT d.id, d.process, 'dup', CAST(d.inode AS TEXT), f.first_snapshot
FROM _duplicate d
JOIN fd_span f USING (id)
WHERE d.verdict NOT IN ('outlived', 'peer-closed');

-- Connections of class `idle` that are open at the end, or were when their process ended.
--   process
--   first_snapshot     of their fds
--   fds                how many
CREATE VIEW idle_at_end AS
SELECT c.process, f.first_snapshot, count(*) AS fds
FROM fd_class c
JOIN fd_span f USING (id)
JOIN processes p ON p.process = c.process
WHERE c.class = 'idle' AND (f.closed_by IS NULL OR f.closed_by IS p.ended_by)
GROUP BY c.process, f.first_snapshot
UNION ALL
SELECT process, snapshot, kept FROM _left_out WHERE what = 'idle' AND kept > 0;

-- How many fds of a class a process had at five times, evenly spread from the first to the last snapshot in
-- which its fds were read, and how many of those opened in each quarter were open at the last of these times.
-- Where the limit ended the growth (process_fds.growth_until) that is the last: afterwards nothing can
-- grow. Only for processes that were read in at least 8 snapshots until then.
--   process, class, name   as in fd_class
--   count_0 .. count_4     at those times
--   kept_1 .. kept_4       opened in the quarter before that time, and open at the last
--   hours                  from the first to the last
--   only_grows             1: more at each time than at the one before, at least 8 in all, and from each
--                          quarter some were kept: neither traffic nor a pool that fills once looks so
CREATE TABLE group_growth AS
WITH bound AS (
  SELECT r.process, r.first_snapshot AS mark_0,
    r.first_snapshot + (r.until - r.first_snapshot) / 4 AS mark_1,
    r.first_snapshot + (r.until - r.first_snapshot) / 2 AS mark_2,
    r.first_snapshot + (r.until - r.first_snapshot) * 3 / 4 AS mark_3,
    r.until AS mark_4, (b.boottime_ns - a.boottime_ns) / 3600e9 AS hours
  FROM (SELECT *, coalesce(growth_until, last_snapshot) AS until FROM process_fds) r
  JOIN snapshot a ON a.id = r.first_snapshot
  JOIN snapshot b ON b.id = r.until
  WHERE r.until - r.first_snapshot >= 7 AND b.boottime_ns > a.boottime_ns
), member AS (
  SELECT c.process, c.class, c.name, c.since AS first_snapshot,
    CASE WHEN f.closed_by IS NOT p.ended_by THEN coalesce(f.closed_by, 9223372036854775807)
      ELSE 9223372036854775807 END AS closed_by
  FROM fd_class c
  JOIN fd_span f USING (id)
  JOIN processes p ON p.process = c.process
), counted AS (
  SELECT m.process, m.class, m.name, b.hours,
    sum(m.first_snapshot <= mark_0 AND m.closed_by > mark_0) AS count_0,
    sum(m.first_snapshot <= mark_1 AND m.closed_by > mark_1) AS count_1,
    sum(m.first_snapshot <= mark_2 AND m.closed_by > mark_2) AS count_2,
    sum(m.first_snapshot <= mark_3 AND m.closed_by > mark_3) AS count_3,
    sum(m.first_snapshot <= mark_4 AND m.closed_by > mark_4) AS count_4,
    sum(m.first_snapshot > mark_0 AND m.first_snapshot <= mark_1 AND m.closed_by > mark_4) AS kept_1,
    sum(m.first_snapshot > mark_1 AND m.first_snapshot <= mark_2 AND m.closed_by > mark_4) AS kept_2,
    sum(m.first_snapshot > mark_2 AND m.first_snapshot <= mark_3 AND m.closed_by > mark_4) AS kept_3,
    sum(m.first_snapshot > mark_3 AND m.first_snapshot <= mark_4 AND m.closed_by > mark_4) AS kept_4
  FROM member m
  JOIN bound b USING (process)
  GROUP BY m.process, m.class, m.name
  UNION ALL
  -- Those of these that were closed were so before the last of these times.
  SELECT l.process, l.what, l.name, b.hours,
    sum(iif(l.snapshot <= mark_0, l.opened - l.closed, 0)),
    sum(iif(l.snapshot <= mark_1, l.opened - l.closed, 0)),
    sum(iif(l.snapshot <= mark_2, l.opened - l.closed, 0)),
    sum(iif(l.snapshot <= mark_3, l.opened - l.closed, 0)),
    sum(iif(l.snapshot <= mark_4, l.kept, 0)),
    sum(iif(l.snapshot > mark_0 AND l.snapshot <= mark_1, l.kept, 0)),
    sum(iif(l.snapshot > mark_1 AND l.snapshot <= mark_2, l.kept, 0)),
    sum(iif(l.snapshot > mark_2 AND l.snapshot <= mark_3, l.kept, 0)),
    sum(iif(l.snapshot > mark_3 AND l.snapshot <= mark_4, l.kept, 0))
  FROM _left_out l
  JOIN bound b USING (process)
  WHERE l.what <> 'verdict' AND NOT (l.what = 'kind' AND l.name = 'socket')
  GROUP BY l.process, l.what, l.name
), summed AS (
  SELECT process, class, name, hours, sum(count_0) AS count_0, sum(count_1) AS count_1, sum(count_2) AS count_2,
    sum(count_3) AS count_3, sum(count_4) AS count_4, sum(kept_1) AS kept_1, sum(kept_2) AS kept_2,
    sum(kept_3) AS kept_3, sum(kept_4) AS kept_4
  FROM counted
  GROUP BY process, class, name
)
SELECT process, class, name, hours, count_0, count_1, count_2, count_3, count_4, kept_1, kept_2, kept_3,
  kept_4,
  count_0 < count_1 AND count_1 < count_2 AND count_2 < count_3 AND count_3 < count_4
    AND count_4 - count_0 >= 8 AND min(kept_1, kept_2, kept_3, kept_4) > 0
    AND (count_4 - count_3) * 3 * (SELECT still_part FROM threshold) >= count_3 - count_0 AS only_grows
FROM summed;

-- Those of them that only grow, and go on where the number of all fds has stopped: what shrinks beside a leak hides
-- it there. Filled from _growing_group with growth.
--   the columns of group_growth
CREATE TABLE growing_group AS SELECT * FROM group_growth WHERE 0;
CREATE INDEX _growing_group_by_process ON growing_group (process);

CREATE VIEW _growing_group AS
WITH stopped AS (
  SELECT w.process, s.id AS snapshot, coalesce(f.growth_until, f.last_snapshot) AS until,
    s.boottime_ns - a.boottime_ns AS before_ns, z.boottime_ns - s.boottime_ns AS since_ns
  FROM growth w
  JOIN process_fds f USING (process)
  JOIN snapshot a ON a.id = f.first_snapshot
  JOIN snapshot z ON z.id = coalesce(f.growth_until, f.last_snapshot)
  JOIN snapshot s ON s.id = (SELECT min(o.id) FROM snapshot o WHERE o.taken_at = w.stopped_at
    AND o.id BETWEEN f.first_snapshot AND f.last_snapshot)
  WHERE w.stopped_at IS NOT NULL
    AND EXISTS (SELECT 1 FROM group_growth g WHERE g.process = w.process AND g.only_grows)
), counted AS (
  SELECT s.process, c.class, c.name, count(*) AS count
  FROM stopped s
  JOIN fd_class c USING (process)
  JOIN fd_span f USING (id)
  WHERE s.snapshot < s.until AND c.since <= s.snapshot AND coalesce(f.closed_by > s.snapshot, 1)
  GROUP BY s.process, c.class, c.name
  UNION ALL
  SELECT s.process, l.what, l.name, sum(l.opened - l.closed)
  FROM stopped s
  JOIN _left_out l USING (process)
  WHERE s.snapshot < s.until AND l.snapshot <= s.snapshot AND l.what <> 'verdict'
  GROUP BY s.process, l.what, l.name
), summed AS (
  SELECT process, class, name, sum(count) AS count
  FROM counted
  GROUP BY process, class, name
), at_stop AS (
  SELECT n.*, s.before_ns, s.since_ns
  FROM summed n
  JOIN stopped s USING (process)
)
SELECT g.*
FROM group_growth g
LEFT JOIN at_stop s ON s.process = g.process AND s.class = g.class AND s.name = g.name
WHERE g.only_grows AND (s.process IS NULL OR (SELECT still_part FROM threshold) * (g.count_4 - s.count) * s.before_ns
    >= 1.0 * (s.count - g.count_0) * s.since_ns);
