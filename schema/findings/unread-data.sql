-- ESTABLISHED connections whose data the program does not read: a server that hangs looks just like one that has many clients.
WITH counted AS (
  SELECT u.process, total(iif(l.local_port IS NULL, -1, 1)) > 0 AS is_accepted, count(DISTINCT u.inode) AS sockets,
    max(seconds) AS longest, max(unread) AS most, min(unread) AS least
  FROM unread_data u
  LEFT JOIN _socket s ON s.process = u.process AND s.fd = u.fd AND s.inode = u.inode AND s.open_at_end
  LEFT JOIN _listening_port l ON l.netns = s.netns AND l.local_port = s.local_port
  WHERE u.stays
  GROUP BY u.process
  HAVING count(DISTINCT u.inode) >= (SELECT few_fds FROM threshold)
)
SELECT
  iif(c.sockets * 2 > f.fds_last AND x.pressure IS NOT NULL, 'critical', 'warning') AS severity,
  printf('%d ESTABLISHED connections %s data that the program %s not read for longer than %s', c.sockets,
    iif(p.ended_by IS NULL, 'have', 'had'), iif(p.ended_by IS NULL, 'has', 'had'), (SELECT words FROM _grace)) AS title,
  p.pid, p.start_ticks,
  printf('Observed: the receive queue of each was never seen empty since then, nor with less in it than before; the '
    || 'longest for %.0f s. At the end each %s %s. Inferred: the program does not read them: it hangs, %s, or waits for '
    || 'something else first. Not known: whether it means to, as one that holds its peers back; and '
    || 'whether each peer is still there: ESTABLISHED only means that nothing has said otherwise.', c.longest,
    iif(p.ended_by IS NULL, 'has', 'had'), iif(c.least = c.most, printf(iif(c.most = 1, '%d byte', '%d bytes'), c.most),
    printf('%d to %d bytes', c.least, c.most)),
    iif(c.is_accepted, 'is too slow for its clients', 'has left responses unread without closing the connection')) AS explanation,
  iif(c.is_accepted, 'See what the threads that serve these connections wait for (a stack of each, /proc/PID/task/*/wchan): a lock, a backend, '
    || 'a full pool of workers. More fds, or a restart, only hide it.',
  'Look where the program asks for something on these connections: each response has to be read to its end, or the connection '
    || 'closed. If it means to read them, see what its threads wait for (a stack of each, /proc/PID/task/*/wchan).') AS advice,
  printf('SELECT fd, inode, local, remote, unread, since, seconds FROM unread_data WHERE stays AND process = %d ORDER BY fd',
    c.process) AS evidence
FROM counted c
JOIN processes p USING (process)
JOIN process_fds f USING (process)
JOIN limit_pressure x USING (process)
