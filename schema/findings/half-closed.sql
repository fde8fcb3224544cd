-- Connections that the program has shut down and not closed, and that stay so: their peers do not end their side, and
-- while the fd is open the kernel waits for ever.
WITH counted AS (
  SELECT process, count(DISTINCT inode) AS sockets, max(seconds) AS longest, count(DISTINCT state) AS states, min(state) AS state
  FROM half_closed
  WHERE stays
  GROUP BY process
  HAVING count(DISTINCT inode) >= (SELECT few_fds FROM threshold)
)
SELECT
  iif(c.sockets * 2 > f.fds_last AND x.pressure IS NOT NULL, 'critical', 'warning') AS severity,
  printf('%d connections %s in %s: the program %s shut them down and not closed them', c.sockets,
    iif(p.ended_by IS NULL, 'stay', 'stayed'), iif(c.states = 1, c.state, 'FIN_WAIT and the like'),
    iif(p.ended_by IS NULL, 'has', 'had')) AS title,
  p.pid, p.start_ticks,
  printf('Observed: the TCP table lists them so for longer than the grace period of %s, the longest for %.0f s, and their '
    || 'fds %s open. Inferred: the program called shutdown() and waits for the peers to end their side. The kernel has a '
    || 'timeout for this state only once the fd is closed. Not known: whether the peers are still there.',
    (SELECT words FROM _grace), c.longest, iif(p.ended_by IS NULL, 'are', 'were')) AS explanation,
  'Look where the program calls shutdown(): it has to close the fd when the peer ends its side, and after a time also when '
    || 'it does not.' AS advice,
  printf('SELECT fd, inode, local, remote, state, since, seconds FROM half_closed WHERE stays AND process = %d ORDER BY fd',
    c.process) AS evidence
FROM counted c
JOIN processes p USING (process)
JOIN process_fds f USING (process)
JOIN limit_pressure x USING (process)
