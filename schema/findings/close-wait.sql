-- CLOSE_WAIT that stays: the peer has closed, and the program neither notices nor closes.
SELECT
  CASE WHEN f.limit_reached IS NOT NULL OR c.sockets * 2 > f.fds_last THEN 'critical' ELSE 'warning' END
    AS severity,
  printf('%d %s in CLOSE_WAIT: the peer has closed, the program has not', c.sockets,
         iif(c.sockets = 1, 'connection stays', 'connections stay')) AS title,
  p.pid, p.start_ticks,
  printf('The TCP table lists them in CLOSE_WAIT for longer than the grace period, the longest for %.0f s. '
    || 'The kernel keeps such a connection until the program closes its fd; there is no timeout.',
    c.longest_seconds) AS explanation,
  'Look for the place where the program reads the end of the stream (read() or recv() gives 0) and does '
    || 'not close, or for connections that it stopped reading: idle ones in a pool, or ones whose handler '
    || 'is blocked.' AS advice,
  printf('SELECT s.fd, s.inode, s.local, s.remote, a.taken_at AS in_close_wait_since, s.fd_last_seen '
    || 'FROM sockets s JOIN verdict_span v USING (id, last_snapshot, verdict) JOIN snapshot a ON a.id = '
    || 'v.first_snapshot JOIN snapshot b ON b.id = v.last_snapshot WHERE s.verdict = ''peer-closed'' AND '
    || 's.open_at_end AND b.boottime_ns - a.boottime_ns > 1000000 * (SELECT value FROM setting WHERE name '
    || '= ''grace_ms'') AND s.pid = %d AND s.start_ticks = %d ORDER BY s.fd', p.pid, p.start_ticks)
    AS evidence
FROM processes p
JOIN process_fds f USING (process)
JOIN (
  SELECT s.process, count(*) AS sockets,
    max((b.boottime_ns - a.boottime_ns) / 1e9) AS longest_seconds
  FROM sockets s
  JOIN verdict_span v ON v.id = s.id AND v.verdict = 'peer-closed' AND v.last_snapshot = s.last_snapshot
  JOIN snapshot a ON a.id = v.first_snapshot
  JOIN snapshot b ON b.id = v.last_snapshot
  WHERE s.verdict = 'peer-closed' AND s.open_at_end AND b.boottime_ns - a.boottime_ns
    > 1000000 * (SELECT value FROM setting WHERE name = 'grace_ms')
  GROUP BY s.process
) c USING (process)
