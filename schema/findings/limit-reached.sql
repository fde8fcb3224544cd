-- No fd number below the soft limit is free, or nearly none: accept() and open() fail with EMFILE.
WITH full AS (
  -- How long it was so, in snapshots.
  SELECT f.process, count(*) AS snapshots, sum(coalesce(u.used >= u.soft_limit, 0)) AS full_in
  FROM process_fds f
  JOIN limit_use_at u ON u.process = f.process AND u.snapshot >= f.limit_reached
  WHERE f.limit_reached IS NOT NULL
  GROUP BY f.process
)
SELECT
  iif(x.pressure = 'near', 'warning', 'critical') AS severity,
  CASE WHEN f.limit_reached IS NOT NULL
    THEN printf('the limit of %d open files was reached ', f.reached_limit)
      || CASE WHEN b.id IS NULL THEN printf('at or before %sZ', substr(s.taken_at, 1, 19))
        WHEN substr(b.taken_at, 1, 19) = substr(s.taken_at, 1, 19)
          THEN printf('at %sZ', substr(s.taken_at, 1, 19))
        ELSE printf('between %sZ and %sZ', substr(b.taken_at, 1, 19), substr(s.taken_at, 1, 19)) END
      || CASE WHEN NOT f.is_full OR n.snapshots = 1 THEN ''
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
        printf('Observed: no fd number below the limit was free in %d of the %d snapshots from snapshot %d '
        || 'on. ', n.full_in, n.snapshots, f.limit_reached))
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
    || 'day.' AS advice,
  printf('SELECT snapshot, taken_at, fds, used, soft_limit FROM limit_use_at WHERE process = %d ORDER BY '
    || 'snapshot', f.process) AS evidence
FROM process_fds f
JOIN processes p USING (process)
JOIN limit_pressure x USING (process)
LEFT JOIN full n USING (process)
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
