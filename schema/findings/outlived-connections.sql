-- Fds that are still open long after their connection is gone: a leak of dead sockets.
SELECT
  CASE WHEN f.limit_reached IS NOT NULL OR o.leaks * 2 > f.fds_last THEN 'critical' ELSE 'warning' END
    AS severity,
  printf('%d %s outlived %s', o.leaks, iif(o.leaks = 1, 'fd', 'fds'),
         iif(o.leaks = 1, 'its connection', 'their connections')) AS title,
  p.pid, p.start_ticks,
  printf('No TCP table of their network namespace lists these sockets any more, and an earlier snapshot '
    || 'lists the connection of each. %s The connections went between %s and %s; the fds stayed open.',
    CASE WHEN o.single = 0 THEN 'Each was seen without it at least twice (proof: history).'
      WHEN o.history = 0 THEN 'Each was seen without it only once yet (proof: single).'
      ELSE printf('%d were seen without it at least twice (proof: history), %d only once yet (proof: '
        || 'single).', o.history, o.single) END,
    o.first_lost, o.last_lost)
    AS explanation,
  'Look in the program for the path that a connection takes when it ends with the state listed: the fd is '
    || 'dropped there without close(). Closing it is always safe, since the connection is gone. A restart '
    || 'frees the fds for a time.' AS advice,
  printf('SELECT fd, inode, local, remote, last_state, connection_last_seen, outlived_seconds, proof '
    || 'FROM outlived WHERE leak AND open_at_end AND pid = %d AND start_ticks = %d ORDER BY fd',
    p.pid, p.start_ticks) AS evidence
FROM processes p
JOIN process_fds f USING (process)
JOIN (
  SELECT process, count(*) AS leaks, sum(proof = 'history') AS history, sum(proof = 'single') AS single,
    min(connection_last_seen) AS first_lost, max(outlived_since) AS last_lost
  FROM outlived
  WHERE leak AND open_at_end
  GROUP BY process
) o USING (process)
