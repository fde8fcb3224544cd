-- As many fds as the soft limit allows, or nearly: accept() and open() fail with EMFILE.
SELECT
  iif(f.limit_reached IS NOT NULL, 'critical', 'warning') AS severity,
  CASE WHEN f.limit_reached IS NOT NULL
    THEN printf('the limit of %d open files was reached at %s', l.soft_limit, s.taken_at)
    ELSE printf('%d of %d allowed open files in use at %s (%d %%)', m.fds, m.soft_limit, t.taken_at,
                m.fds * 100 / m.soft_limit) END AS title,
  p.pid, p.start_ticks,
  CASE WHEN f.limit_reached IS NOT NULL
    THEN 'From then on each call that needs a new fd fails with EMFILE ("too many open files"): accept4, '
      || 'open, socket, pipe. Connections that the kernel completes wait in the accept queue meanwhile.'
    ELSE 'At the limit each call that needs a new fd fails with EMFILE ("too many open files").' END
    AS explanation,
  'See in the kinds and verdicts below what the fds are. If they are live clients, the limit is too low '
    || 'for the load: raise LimitNOFILE= of the service. If they are leaked, a higher limit only moves the '
    || 'day.' AS advice,
  printf('SELECT taken_at, fds, soft_limit FROM fd_count JOIN snapshot ON id = snapshot WHERE process = '
    || '%d ORDER BY snapshot', f.process) AS evidence
FROM process_fds f
JOIN processes p USING (process)
LEFT JOIN snapshot s ON s.id = f.limit_reached
LEFT JOIN fd_count l ON l.process = f.process AND l.snapshot = f.limit_reached
-- When it came nearest to its limit of that time.
LEFT JOIN fd_count m ON m.rowid = (SELECT c.rowid FROM fd_count c WHERE c.process = f.process
  AND c.soft_limit > 0 ORDER BY c.fds * 1.0 / c.soft_limit DESC, c.snapshot LIMIT 1)
LEFT JOIN snapshot t ON t.id = m.snapshot
WHERE f.limit_reached IS NOT NULL OR m.fds * 100 >= m.soft_limit * 80
