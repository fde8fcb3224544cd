-- How bad something is: what severities and the order of a report are made of, for all rules alike.

-- In which order findings of one severity and one process are told: what is wrong before what follows from it,
-- and both before what may explain it.
--   id                 of the rule
--   place              0 is first
CREATE TABLE rule AS
SELECT value AS id, key AS place FROM json_each('["outlived-connections", "close-wait", "inherited-sockets",
  "half-closed", "unanswered", "unread-data", "kind-growth", "growing-pool", "idle-connections", "connections-without-fd",
  "limit-reached", "accept-queue", "host-files", "unseen-emfile", "step-growth", "steady-growth", "early-growth",
  "unread-netns", "shared-sockets", "stale-epoll", "limit-changed", "limit-low", "unread", "restarted",
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
--   half_way           the last snapshot of the first half of the time
CREATE TABLE dead_count AS
WITH mark AS (
  SELECT f.process, f.first_snapshot AS mark_first, f.last_snapshot AS mark_last,
    (SELECT max(s.id) FROM snapshot s WHERE s.id BETWEEN f.first_snapshot AND f.last_snapshot
      AND s.boottime_ns <= (a.boottime_ns + z.boottime_ns) / 2) AS mark_middle
  FROM process_fds f
  JOIN snapshot a ON a.id = f.first_snapshot
  JOIN snapshot z ON z.id = f.last_snapshot
  WHERE f.last_snapshot - f.first_snapshot >= 4
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
  sum(count_last) AS count_last, sum(count_kept) AS count_kept, max(mark_middle) AS half_way
FROM counted
JOIN mark USING (process)
GROUP BY process, verdict;

-- The sockets of a process that were without a live peer for longer than the grace period, and then closed.
--   process, verdict (outlived, peer-closed)
--   fds                how many
--   longest_ns         how long the one was so that was so for longest, at most: until the first look that saw it
--                      closed
CREATE TABLE _closed_late AS
WITH lost AS (
  SELECT f.id, f.process, v.verdict, min(v.first_snapshot) AS first_snapshot, f.last_snapshot, f.closed_by
  FROM verdict_span v
  JOIN fd_span f USING (id)
  JOIN processes p USING (process)
  WHERE v.verdict IN ('outlived', 'peer-closed') AND f.closed_by IS NOT NULL AND f.closed_by IS NOT p.ended_by
  GROUP BY f.id, v.verdict
), counted AS (
  SELECT l.process, l.verdict, count(*) AS fds, max(c.boottime_ns - a.boottime_ns) AS longest_ns
  FROM lost l
  JOIN snapshot a ON a.id = l.first_snapshot
  JOIN snapshot z ON z.id = l.last_snapshot
  JOIN snapshot c ON c.id = l.closed_by
  WHERE z.boottime_ns - a.boottime_ns > 1000000 * (SELECT value FROM setting WHERE name = 'grace_ms')
  GROUP BY l.process, l.verdict
  UNION ALL
  SELECT process, verdict, fds, longest_ns FROM _left_out_late
)
SELECT process, verdict, sum(fds) AS fds, max(longest_ns) AS longest_ns
FROM counted
GROUP BY process, verdict;

-- What sockets without a live peer, open at the end, say of their process.
--   process, verdict (outlived, peer-closed)
--   fds                how many
--   certain            of these, without a live peer for longer than the grace period
--   old                of outlived: that last carried data longer before the last look than that
--   closed_late        of others, how many were without a live peer for longer than the grace period, and then
--                      closed
--   closed_after_s     how long the one of them was so that was so for longest, at most; NULL: there are none
--   older              of the certain ones, how many are so for longer than any of these
--   more               dead_count.count_last - count_middle; NULL: too few snapshots
--   judgement          late: some are certain, but others (threshold.few_more or more) were closed so late; hardly
--                      any is older than these were, none much (threshold.late_factor), and these are no less than
--                      one part in threshold.late_part of them, or those that are open do not become more;
--                      leak: some are certain, and they became more in the second half, or the limit ended that,
--                      or too few snapshots tell. Where some of those half-way are closed they have to be
--                      threshold.few_more and one part in threshold.still_part more;
--                      held: some are certain, and they did not; kept: of peer-closed, fewer than
--                      threshold.few_more more, as traffic makes them too;
--                      likely: all was recorded in less than the grace period, and more than a few are old;
--                      undecided: so short, more than a few, but few of them are old: as a handler's that is
--                      slow to close; few: so short, and only a few (threshold.few_fds, few_part);
--                      NULL: none is certain, though it was recorded for longer: they are closed
CREATE TABLE dead_judgement AS
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
    total(s.last_data_at < l.old_before) AS old,
    total(s.leak AND s.outlived_seconds * 1000000000 > coalesce(d.longest_ns, 0)) AS older,
    max(s.outlived_seconds) AS oldest_s
  FROM outlived s
  JOIN looked l USING (process)
  LEFT JOIN _closed_late d ON d.process = s.process AND d.verdict = 'outlived'
  WHERE s.open_at_end
  GROUP BY s.process
  UNION ALL
  SELECT c.process, 'peer-closed', count(*), sum(c.stays), 0,
    total(c.stays AND c.seconds * 1000000000 > coalesce(d.longest_ns, 0)), max(c.seconds)
  FROM close_wait c
  LEFT JOIN _closed_late d ON d.process = c.process AND d.verdict = 'peer-closed'
  GROUP BY c.process
), judged AS (
  SELECT h.*, l.fds_last, l.growth_until, l.is_short, coalesce(d.fds, 0) AS closed_late,
    d.longest_ns / 1e9 AS closed_after_s, c.count_last - c.count_middle AS more,
    c.count_last > c.count_middle AND (c.count_kept = c.count_middle OR (c.count_last - c.count_middle >= t.few_more
      AND (c.count_last - c.count_middle) * t.still_part >= c.count_middle)) AS has_grown,
    t.few_fds, t.few_part, t.few_more, t.late_factor, t.late_part
  FROM held h
  JOIN looked l USING (process)
  JOIN threshold t
  LEFT JOIN dead_count c ON c.process = h.process AND c.verdict = h.verdict
  LEFT JOIN _closed_late d ON d.process = h.process AND d.verdict = h.verdict
)
SELECT process, verdict, fds, certain, CAST(old AS INTEGER) AS old, closed_late, closed_after_s,
  CAST(older AS INTEGER) AS older, more, CASE
    WHEN certain > 0 THEN CASE WHEN closed_late >= few_more AND older < few_more
        AND oldest_s <= late_factor * closed_after_s AND (closed_late * late_part >= certain OR NOT coalesce(has_grown, 1)) THEN 'late'
      WHEN growth_until IS NOT NULL THEN 'leak'
      WHEN more <= 0 THEN 'held'
      WHEN verdict = 'peer-closed' AND coalesce(more, 0) < few_more THEN 'kept'
      WHEN coalesce(has_grown, 1) THEN 'leak' ELSE 'held' END
    WHEN NOT is_short OR verdict <> 'outlived' THEN NULL
    WHEN (old >= few_fds AND old * few_part >= fds_last) OR old * 2 > fds_last THEN 'likely'
    WHEN (fds >= few_fds AND fds * few_part >= fds_last) OR fds * 2 > fds_last THEN 'undecided'
    ELSE 'few' END AS judgement
FROM judged;

-- How the number of a process's sockets without a live peer changed, and of those that were closed late, in words.
--   process, verdict, words    empty: too few snapshots, and none was closed late
CREATE VIEW _dead_words AS
SELECT j.process, j.verdict,
  iif(d.process IS NULL, '', printf('With younger ones there were %d in its first snapshot, %d half-way (snapshot %d) and %d in the last%s '
    || '(view dead_count). ', d.count_first, d.count_middle, d.half_way, d.count_last, iif(d.count_middle = 0, '',
    printf('; of those half-way %d %s still %s', d.count_kept, iif(p.ended_by IS NULL, 'are', 'were'),
      iif(j.verdict = 'outlived', 'open', 'so')))))
  || iif(j.closed_late = 0, '', printf('%s %s closed when %s so for longer than the grace period, up to %.0f s; of '
    || 'those that are open %s older (view dead_judgement). ', iif(j.closed_late = 1, 'Another one', printf('%d others',
    j.closed_late)), iif(j.closed_late = 1, 'was', 'were'), iif(j.closed_late = 1, 'it had been', 'they had been'),
    j.closed_after_s, CASE j.older WHEN 0 THEN 'none is' WHEN 1 THEN '1 is' ELSE printf('%d are', j.older) END)) AS words
FROM dead_judgement j
JOIN processes p USING (process)
LEFT JOIN dead_count d ON d.process = j.process AND d.verdict = j.verdict;
