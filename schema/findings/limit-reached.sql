-- As many fds as the soft limit allows, or nearly: accept() and open() fail with EMFILE.
WITH full AS (
  -- How long it was so, in snapshots.
  SELECT f.process, (SELECT count(*) FROM snapshot s
    WHERE s.id BETWEEN f.limit_reached AND f.last_snapshot
      AND (SELECT c.fds >= c.soft_limit FROM fd_count c
           WHERE c.process = f.process AND c.snapshot <= s.id ORDER BY c.snapshot DESC LIMIT 1))
      AS snapshots,
    (SELECT c.fds >= c.soft_limit FROM fd_count c
     WHERE c.process = f.process ORDER BY c.snapshot DESC LIMIT 1) AS at_end
  FROM process_fds f
  WHERE f.limit_reached IS NOT NULL
)
SELECT
  iif(f.limit_reached IS NOT NULL, 'critical', 'warning') AS severity,
  CASE WHEN f.limit_reached IS NOT NULL
    THEN printf('the limit of %d open files was reached at %sZ%s', l.soft_limit,
                substr(s.taken_at, 1, 19), CASE WHEN NOT n.at_end THEN ''
                  WHEN n.snapshots = f.last_snapshot - f.limit_reached + 1 THEN ' and no fd is free since'
                  ELSE ' and again at the end' END)
    ELSE printf('%d of %d allowed open files in use at %sZ (%d %%)', m.fds, m.soft_limit,
                substr(t.taken_at, 1, 19), m.fds * 100 / m.soft_limit) END AS title,
  p.pid, p.start_ticks,
  CASE WHEN f.limit_reached IS NOT NULL
    THEN iif(f.last_snapshot = f.limit_reached,
        printf('Observed: it had as many fds as its limit allows in snapshot %d, the last one. ', f.limit_reached),
        printf('Observed: it had as many fds as its limit allows in %d of the %d snapshots from snapshot '
        || '%d on. ', n.snapshots, f.last_snapshot - f.limit_reached + 1, f.limit_reached))
      || 'Inferred: no fd is free then, and each call that needs a new one fails with EMFILE ("too many open '
      || 'files"): accept4, open, socket, pipe. Connections that the kernel completes wait in the accept queue meanwhile.'
    ELSE printf('Observed: it came nearest to its limit in snapshot %d. ', m.snapshot)
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
  printf('SELECT snapshot, taken_at, fds, soft_limit FROM fd_count JOIN snapshot ON id = snapshot WHERE '
    || 'process = %d ORDER BY snapshot', f.process) AS evidence
FROM process_fds f
JOIN processes p USING (process)
LEFT JOIN full n USING (process)
LEFT JOIN growth g USING (process)
LEFT JOIN snapshot s ON s.id = f.limit_reached
LEFT JOIN fd_count l ON l.process = f.process AND l.snapshot = f.limit_reached
-- When it came nearest to its limit of that time.
LEFT JOIN fd_count m ON m.rowid = (SELECT c.rowid FROM fd_count c WHERE c.process = f.process
  AND c.soft_limit > 0 ORDER BY c.fds * 1.0 / c.soft_limit DESC, c.snapshot LIMIT 1)
LEFT JOIN snapshot t ON t.id = m.snapshot
WHERE f.limit_reached IS NOT NULL OR m.fds * 100 >= m.soft_limit * 80
