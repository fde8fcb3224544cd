-- No fd number below the soft limit is free, or nearly none: accept() and open() fail with EMFILE.
WITH since AS (
  SELECT f.process, u.snapshot, u.taken_at, u.soft_limit, coalesce(u.used >= u.soft_limit, 0) AS is_full,
    lag(u.soft_limit) OVER w AS limit_before, lag(coalesce(u.used >= u.soft_limit, 0)) OVER w AS full_before
  FROM process_fds f
  JOIN limit_use_at u ON u.process = f.process AND u.snapshot >= f.limit_reached
  WHERE f.limit_reached IS NOT NULL
  WINDOW w AS (PARTITION BY f.process ORDER BY u.snapshot)
), full AS (
  -- How long it was so, in snapshots, and how many times.
  SELECT process, count(*) AS snapshots, sum(is_full) AS full_in, count(DISTINCT soft_limit) AS limits,
    sum(is_full AND NOT (coalesce(full_before, 0) AND limit_before IS soft_limit)) AS times,
    max(iif(is_full, taken_at, NULL)) AS last_at
  FROM since
  GROUP BY process
), by_limit AS (
  -- Each limit that was reached.
  SELECT process, soft_limit, count(*) AS snapshots, sum(is_full) AS full_in,
    min(iif(is_full, snapshot, NULL)) AS first_full, min(iif(is_full, taken_at, NULL)) AS first_at
  FROM since
  GROUP BY process, soft_limit
  HAVING sum(is_full) > 0
), other AS (
  -- Those that are neither the first nor that of the end.
  SELECT process, group_concat(printf(', one of %d at %sZ', soft_limit, substr(first_at, 1, 19)), '') AS words
  FROM (SELECT b.* FROM by_limit b JOIN process_fds f USING (process)
        WHERE b.soft_limit <> f.reached_limit AND NOT (f.is_full AND b.soft_limit = f.soft_limit)
        ORDER BY b.process, b.first_full)
  GROUP BY process
), each_limit AS (
  SELECT process, group_concat(printf(iif(place = 1, '%d of the %d snapshots with a limit of %d',
    '%d of the %d with one of %d'), full_in, snapshots, soft_limit), ' and in ') AS words
  FROM (SELECT *, row_number() OVER (PARTITION BY process ORDER BY first_full) AS place FROM by_limit
        ORDER BY process, first_full)
  GROUP BY process
)
SELECT
  -- One that has ended and had given most of them back is no matter any more.
  CASE WHEN x.pressure <> 'near' THEN 'critical' WHEN p.ended_by IS NOT NULL
    AND f.limit_used * 100 < f.soft_limit * (SELECT near_limit_percent FROM threshold) THEN 'info' ELSE 'warning' END
    AS severity,
  CASE WHEN f.limit_reached IS NOT NULL
    THEN printf('the limit of %d open files was reached ', f.reached_limit)
      || CASE WHEN b.id IS NULL THEN printf('at or before %sZ', substr(s.taken_at, 1, 19))
        WHEN substr(b.taken_at, 1, 19) = substr(s.taken_at, 1, 19)
          THEN printf('at %sZ', substr(s.taken_at, 1, 19))
        ELSE printf('between %sZ and %sZ', substr(b.taken_at, 1, 19), substr(s.taken_at, 1, 19)) END
      || coalesce(o.words, '')
      || CASE WHEN n.snapshots = 1 THEN ''
        WHEN NOT f.is_full
          THEN iif(o.process IS NULL AND n.times > 1, printf(', and again, %d times in all, at last at %sZ', n.times,
            substr(n.last_at, 1, 19)), '')
        WHEN f.soft_limit <> f.reached_limit
          THEN printf(', and one of %d is at the end', f.soft_limit)
        WHEN n.full_in = n.snapshots THEN ', and no snapshot since then shows a free fd'
        ELSE ' and again at the end' END
    ELSE printf('%d of %d allowed open files in use at %sZ (%d %%)', m.used, m.soft_limit,
                substr(t.taken_at, 1, 19), m.used * 100 / m.soft_limit)
      || iif(m.fds > m.used, printf(', and %d with a number not below it', m.fds - m.used), '') END AS title,
  p.pid, p.start_ticks,
  CASE WHEN f.limit_reached IS NOT NULL
    THEN iif(n.snapshots = 1,
        printf('Observed: no fd number below the limit was free in snapshot %d, the last one. ', f.limit_reached),
        printf('Observed: no fd number below the limit was free in %s from snapshot %d on. ',
          iif(n.limits = 1, printf('%d of the %d snapshots', n.full_in, n.snapshots), e.words), f.limit_reached))
      || coalesce(a.words, '')
      || 'Inferred: each call that needs a new fd then fails with EMFILE ("too many open files"): accept4, '
      || 'open, socket, pipe. Connections that the kernel completes wait in the accept queue meanwhile.'
    ELSE printf('Observed: it came nearest to its limit in snapshot %d. ', m.snapshot)
      || coalesce(a.words, '')
      || CASE WHEN g.exhaustion_from IS NOT NULL
        THEN printf('Inferred: at the growth so far, %s, the limit is reached between %sZ and %sZ. ', g.rate,
          substr(g.exhaustion_from, 1, 19), substr(g.exhaustion_to, 1, 19))
        ELSE '' END
      || 'At the limit each call that needs a new fd fails with EMFILE ("too many open files").'
      || iif(g.forecast_reason IS NULL, '', printf(' Not known: when it will be reached (%s).',
        g.forecast_reason)) END
    AS explanation,
  'See in the kinds and verdicts below what the fds are. If they are live clients, the limit is too low '
    || 'for the load: raise LimitNOFILE= of the service. If they are leaked, a higher limit only moves the '
    || 'day. If they are closed late, close them sooner.' AS advice,
  printf('SELECT snapshot, taken_at, fds, used, soft_limit FROM limit_use_at WHERE process = %d ORDER BY '
    || 'snapshot', f.process) AS evidence
FROM process_fds f
JOIN processes p USING (process)
JOIN limit_pressure x USING (process)
LEFT JOIN full n USING (process)
LEFT JOIN other o USING (process)
LEFT JOIN each_limit e USING (process)
LEFT JOIN growth g USING (process)
LEFT JOIN snapshot s ON s.id = f.limit_reached
LEFT JOIN snapshot b ON b.id = f.limit_before
LEFT JOIN _nearest_limit m ON m.process = f.process
LEFT JOIN snapshot t ON t.id = m.snapshot
-- Why there can be more fds than the limit.
LEFT JOIN (
  SELECT process, printf('At the end %d of its fds %s below the limit: opened under a higher one, '
    || 'or inherited, %s use it up. ', fds_last - limit_used,
    iif(fds_last - limit_used = 1, 'has a number that is not', 'have numbers that are not'),
    iif(fds_last - limit_used = 1, 'it does not', 'they do not')) AS words
  FROM process_fds
  WHERE fds_last > limit_used
) a ON a.process = f.process
WHERE f.limit_reached IS NOT NULL OR m.process IS NOT NULL
