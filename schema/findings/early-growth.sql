-- The number of fds only grows towards its limit, and too little was seen for a forecast: that it is near at the pace
-- so far, where a report without this would have nothing to say.
WITH start AS (
  -- Since the limit was changed last; else all of it.
  SELECT f.process, max(f.first_snapshot, coalesce((SELECT max(l.first_snapshot) FROM limit_span l
    WHERE l.process = f.process AND l.resource = 'Max open files'), 0)) AS first
  FROM process_fds f
  JOIN growth g USING (process)
  JOIN processes p USING (process)
  WHERE g.exhaustion_from IS NULL AND g.stopped_at IS NULL AND f.growth_until IS NULL AND p.ended_by IS NULL
    AND f.soft_limit IS NOT NULL AND NOT f.is_full
), seen AS (
  SELECT s.process, s.first, f.last_snapshot AS last, f.fds_last, f.soft_limit, f.limit_used, a.taken_at, a.boottime_ns,
    (SELECT fds FROM fd_count c WHERE c.process = s.process AND c.snapshot <= s.first ORDER BY c.snapshot DESC LIMIT 1)
      AS fds_first,
    (SELECT sum(r.last_snapshot - max(r.first_snapshot, s.first) + 1) FROM _fd_read_span r
      WHERE r.process = s.process AND r.last_snapshot >= s.first) AS snapshots,
    (z.boottime_ns - a.boottime_ns) / 1e9 AS seconds
  FROM start s
  JOIN process_fds f USING (process)
  JOIN snapshot a ON a.id = s.first
  JOIN snapshot z ON z.id = f.last_snapshot
), paced AS (
  SELECT *, (soft_limit - limit_used) / ((fds_last - fds_first) / seconds) AS left_seconds
  FROM seen
  WHERE seconds > 0 AND fds_last - fds_first >= (SELECT least_growth FROM threshold)
    AND NOT EXISTS (SELECT 1 FROM fd_step x WHERE x.process = seen.process AND x.snapshot > seen.first AND x.change < 0)
)
SELECT
  -- What is less certain is never worse: two snapshots can't tell a leak from traffic.
  iif(c.limit_used * 2 >= c.soft_limit, 'warning', 'info') AS severity,
  printf('fds grew from %d to %d in %s; at that pace the limit of %d is reached within %s', c.fds_first, c.fds_last,
    CASE WHEN c.seconds < 120 THEN printf('%.0f s', c.seconds) WHEN c.seconds < 7200 THEN printf('%.0f minutes', c.seconds / 60)
      ELSE printf('%.0f hours', c.seconds / 3600) END, c.soft_limit,
    CASE WHEN c.left_seconds < 60 THEN 'a minute' WHEN c.left_seconds < 3600 THEN printf('%d minutes', c.left_seconds / 60 + 1)
      ELSE printf('%d hours', c.left_seconds / 3600 + 1) END) AS title,
  p.pid, p.start_ticks,
  printf('Observed: in %d snapshots since %sZ the number never fell, and %d of %d numbers below the limit are used. Not '
    || 'known: whether it goes on so: a forecast takes at least %d snapshots with one limit.', c.snapshots,
    substr(c.taken_at, 1, 19), c.limit_used, c.soft_limit, t.forecast_snapshots) AS explanation,
  'Record longer, or with a shorter --interval, if the process still runs; the kinds and verdicts below say which fds they '
    || 'are.' AS advice,
  printf('SELECT s.id, s.taken_at, c.fds, c.soft_limit FROM fd_count c JOIN snapshot s ON s.id = c.snapshot WHERE c.process '
    || '= %d ORDER BY s.id', c.process) AS evidence
FROM paced c
JOIN threshold t
JOIN processes p USING (process)
WHERE c.left_seconds <= 3600.0 * t.soon_hours AND c.snapshots < t.forecast_snapshots
