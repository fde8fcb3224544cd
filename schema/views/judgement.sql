-- How bad something is: what severities and the order of a report are made of, for all rules alike.

-- In which order findings of one severity and one process are told: what is wrong before what follows from it,
-- and both before what may explain it.
--   id                 of the rule
--   place              0 is first
CREATE TABLE rule AS
SELECT value AS id, key AS place FROM json_each('["outlived-connections", "close-wait", "inherited-sockets",
  "half-closed", "unread-data", "kind-growth", "growing-pool", "idle-connections", "limit-reached", "accept-queue", "host-files", "step-growth",
  "steady-growth", "unread-netns", "shared-sockets", "stale-epoll", "limit-changed", "limit-low", "unread", "restarted",
  "plateau", "tcp6-only", "recording-gaps"]');

-- How near a process is to its limit of open files. Processes of one severity are told in this order.
--   process
--   pressure           full: no fd number below the limit is free at the end; soon: the forecast is within
--                      threshold.soon_hours; reached: it was full once; near: at least
--                      threshold.near_limit_percent of it was in use once; NULL: none of these
--   place              0: full, ... 3: near, 4: none
CREATE VIEW limit_pressure AS
SELECT process, pressure, CASE pressure WHEN 'full' THEN 0 WHEN 'soon' THEN 1 WHEN 'reached' THEN 2
  WHEN 'near' THEN 3 ELSE 4 END AS place
FROM (
  SELECT f.process, CASE WHEN f.is_full THEN 'full'
    WHEN g.hours_left <= t.soon_hours THEN 'soon'
    WHEN f.limit_reached IS NOT NULL THEN 'reached'
    WHEN n.process IS NOT NULL THEN 'near' END AS pressure
  FROM process_fds f
  JOIN threshold t
  LEFT JOIN growth g USING (process)
  LEFT JOIN _nearest_limit n USING (process)
);

-- How many sockets without a live peer a process had at three times: when its fds were read first, half-way, and
-- last. Only where that is at least 5 snapshots.
--   process, verdict (outlived, peer-closed), count_first, count_middle, count_last
--   count_kept         of those half-way, how many were so in the last, too
CREATE TABLE dead_count AS
WITH mark AS (
  SELECT process, first_snapshot AS mark_first, (first_snapshot + last_snapshot) / 2 AS mark_middle,
    last_snapshot AS mark_last
  FROM process_fds
  WHERE last_snapshot - first_snapshot >= 4
), counted AS (
  SELECT f.process, v.verdict, sum(mark_first BETWEEN v.first_snapshot AND v.last_snapshot) AS count_first,
    sum(mark_middle BETWEEN v.first_snapshot AND v.last_snapshot) AS count_middle,
    sum(mark_last BETWEEN v.first_snapshot AND v.last_snapshot) AS count_last,
    sum(mark_middle >= v.first_snapshot AND mark_last <= v.last_snapshot) AS count_kept
  FROM verdict_span v
  JOIN fd_span f USING (id)
  JOIN mark m ON m.process = f.process
  WHERE v.verdict IN ('outlived', 'peer-closed')
  GROUP BY f.process, v.verdict
  UNION ALL
  SELECT l.process, l.name, sum(iif(l.snapshot <= mark_first, l.opened - l.closed, 0)),
    sum(iif(l.snapshot <= mark_middle, l.opened - l.closed, 0)), 0, 0
  FROM _left_out l
  JOIN mark m USING (process)
  WHERE l.what = 'verdict' AND l.name IN ('outlived', 'peer-closed')
  GROUP BY l.process, l.name
)
SELECT process, verdict, sum(count_first) AS count_first, sum(count_middle) AS count_middle,
  sum(count_last) AS count_last, sum(count_kept) AS count_kept
FROM counted
GROUP BY process, verdict;

-- How many sockets of a process were without a live peer for longer than the grace period, and then closed.
--   process, verdict (outlived, peer-closed)
--   fds                of those that were only counted (_left_out) at least the most that were so at one time
CREATE TABLE _closed_late AS
WITH grace AS (
  SELECT 1000000 * value AS ns FROM setting WHERE name = 'grace_ms'
), kept AS (
  SELECT f.process, v.verdict, count(*) AS fds
  FROM verdict_span v
  JOIN fd_span f USING (id)
  JOIN processes p USING (process)
  JOIN snapshot a ON a.id = v.first_snapshot
  JOIN snapshot z ON z.id = v.last_snapshot
  JOIN grace g
  WHERE v.verdict IN ('outlived', 'peer-closed') AND f.closed_by IS NOT NULL AND f.closed_by IS NOT p.ended_by
    AND z.boottime_ns - a.boottime_ns > g.ns
  GROUP BY f.process, v.verdict
), event AS (
  -- All that were opened before the grace period, less all that are closed by now, were so for longer than that.
  SELECT l.process, l.name, s.boottime_ns + g.ns + 1 AS at_ns, 0 AS is_close, l.opened AS change
  FROM _left_out l
  JOIN snapshot s ON s.id = l.snapshot
  JOIN grace g
  WHERE l.what = 'verdict' AND l.name IN ('outlived', 'peer-closed') AND l.opened > 0
  UNION ALL
  SELECT l.process, l.name, s.boottime_ns, 1, -l.closed
  FROM _left_out l
  JOIN snapshot s ON s.id = l.snapshot - 1
  WHERE l.what = 'verdict' AND l.name IN ('outlived', 'peer-closed') AND l.closed > 0
), summed AS (
  SELECT process, name, sum(change) OVER (PARTITION BY process, name ORDER BY at_ns, is_close) AS fds
  FROM event
), counted AS (
  SELECT process, verdict, fds FROM kept
  UNION ALL
  SELECT process, name, max(fds) FROM summed GROUP BY process, name HAVING max(fds) > 0
)
SELECT process, verdict, sum(fds) AS fds
FROM counted
GROUP BY process, verdict;

-- What sockets without a live peer, open at the end, say of their process.
--   process, verdict (outlived, peer-closed)
--   fds                how many
--   certain            of these, without a live peer for longer than the grace period
--   old                of outlived: that last carried data longer before the last look than that
--   judgement          late: some are certain, but all of those half-way (threshold.few_more or more) are
--                      closed since, and now there are hardly more; and so many were closed that had been so for
--                      longer than the grace period;
--                      leak: some are certain, and they became more in the second half, or the limit ended that,
--                      or too few snapshots tell;
--                      held: some are certain, and they did not; kept: of peer-closed, fewer than
--                      threshold.few_more more, as traffic makes them too;
--                      likely: all was recorded in less than the grace period, and more than a few are old;
--                      undecided: so short, more than a few, but few of them are old: as a handler's that is
--                      slow to close; few: so short, and only a few (threshold.few_fds, few_part);
--                      NULL: none is certain, though it was recorded for longer: they are closed
CREATE VIEW dead_judgement AS
WITH looked AS (
  SELECT f.process, f.fds_last, f.growth_until, z.boottime_ns - a.boottime_ns <= 1000000 * g.value AS is_short,
    strftime('%Y-%m-%dT%H:%M:%S', z.wall_ns / 1000000000 - g.value / 1000, 'unixepoch')
      || printf('.%03dZ', z.wall_ns / 1000000 % 1000) AS old_before
  FROM process_fds f
  JOIN setting g ON g.name = 'grace_ms'
  JOIN snapshot a ON a.id = f.first_snapshot
  JOIN snapshot z ON z.id = f.last_snapshot
), held AS (
  SELECT s.process, 'outlived' AS verdict, count(*) AS fds, sum(s.leak) AS certain,
    total(s.last_data_at < l.old_before) AS old
  FROM outlived s
  JOIN looked l USING (process)
  WHERE s.open_at_end
  GROUP BY s.process
  UNION ALL
  SELECT process, 'peer-closed', count(*), sum(stays), 0 FROM close_wait GROUP BY process
), judged AS (
  SELECT h.*, l.fds_last, l.growth_until, l.is_short, c.count_middle, c.count_last, c.count_kept,
    coalesce(d.fds, 0) AS closed_late, t.few_fds, t.few_part, t.few_more
  FROM held h
  JOIN looked l USING (process)
  JOIN threshold t
  LEFT JOIN dead_count c ON c.process = h.process AND c.verdict = h.verdict
  LEFT JOIN _closed_late d ON d.process = h.process AND d.verdict = h.verdict
)
SELECT process, verdict, fds, certain, CAST(old AS INTEGER) AS old, CASE
    WHEN certain > 0 THEN CASE WHEN count_middle >= few_more AND count_kept = 0
        AND count_last - count_middle < few_more AND closed_late >= few_more THEN 'late'
      WHEN growth_until IS NOT NULL THEN 'leak' WHEN count_last <= count_middle THEN 'held'
      WHEN verdict = 'peer-closed' AND coalesce(count_last - count_middle, 0) < few_more THEN 'kept' ELSE 'leak' END
    WHEN NOT is_short OR verdict <> 'outlived' THEN NULL
    WHEN (old >= few_fds AND old * few_part >= fds_last) OR old * 2 > fds_last THEN 'likely'
    WHEN (fds >= few_fds AND fds * few_part >= fds_last) OR fds * 2 > fds_last THEN 'undecided'
    ELSE 'few' END AS judgement
FROM judged;
