-- CLOSE_WAIT that stays: the peer has ended its side with a FIN, and the program does not close.
WITH counted AS (
  SELECT process, count(*) AS sockets, max(seconds) AS longest, sum(unread > 0) AS unread,
    max(unread) AS most_unread
  FROM close_wait
  WHERE stays
  GROUP BY process
)
SELECT
  CASE WHEN j.judgement = 'late' THEN iif(x.pressure IS NULL, 'info', 'warning')
    -- What does not grow is no part of a forecast.
    WHEN j.judgement IN ('held', 'kept') THEN iif(x.pressure IS NULL OR x.pressure = 'soon', 'warning', 'critical')
    ELSE iif(x.pressure IS NULL, 'warning', 'critical') END AS severity,
  printf('%d %s in CLOSE_WAIT: the peer %s ended its side, the program %s not closed%s', c.sockets,
    CASE WHEN p.ended_by IS NULL THEN iif(c.sockets = 1, 'connection stays', 'connections stay')
      ELSE iif(c.sockets = 1, 'connection stayed', 'connections stayed') END,
    iif(p.ended_by IS NULL, 'has', 'had'), iif(p.ended_by IS NULL, 'has', 'had'),
    CASE j.judgement WHEN 'held' THEN '; ' || t.trend
      WHEN 'late' THEN iif(p.ended_by IS NULL, '; such ones are closed, but late', '; such ones were closed, but late')
      ELSE '' END) AS title,
  p.pid, p.start_ticks,
  printf('Observed: the TCP table %s them in CLOSE_WAIT for longer than the grace period of %s, the '
    || 'longest for %.0f s. ', iif(p.ended_by IS NULL, 'lists', 'listed'), (SELECT words FROM _grace), c.longest)
    || coalesce((SELECT words FROM _dead_words d WHERE d.process = c.process AND d.verdict = 'peer-closed'), '')
    || CASE
      WHEN c.unread = 0 THEN 'Nothing is left to read of any of them.'
      WHEN c.unread = c.sockets THEN printf('All of them have something left to read, if only the end of '
        || 'the stream (which counts as one byte), up to %d %s.', c.most_unread, iif(c.most_unread = 1, 'byte',
        'bytes'))
      ELSE printf('%d of them %s something left to read, up to %d %s (the end of the stream counts as '
        || 'one), %d %s not.', c.unread, iif(c.unread = 1, 'has', 'have'), c.most_unread, iif(c.most_unread = 1, 'byte', 'bytes'),
        c.sockets - c.unread, iif(c.sockets - c.unread = 1, 'has', 'have')) END
    || ' Inferred: ' || CASE
      WHEN j.judgement = 'late' THEN iif(p.ended_by IS NULL, 'the program closes them, but late, as a handler that is slow or a reaper '
        || 'that looks now and then', 'the program closed them, but late, as a handler that is slow or a reaper that looks now and then')
      WHEN c.unread = 0 THEN 'the program has read all that came and does not close'
      WHEN c.unread = c.sockets THEN 'the program does not read them any more'
      ELSE 'some the program does not read any more, of others it has read all that came and does not close'
      END
    || '. The kernel has no timeout for this state: it stays until the program closes its fd. A reset, or a '
    || 'keepalive that fails, ends the connection and leaves the fd open without one. Not '
    || 'known: whether the peer has closed, or has only ended its sending (shutdown) and waits for an '
    || 'answer' || iif(c.unread = c.sockets, '.', '; whether the program has seen the end of the stream: with the last '
    || 'data the kernel counts it as read.') AS explanation,
  CASE WHEN j.judgement = 'late' THEN 'Nothing, if so many fds are to spare. Else let the program see the end of a '
      || 'connection sooner.'
    WHEN c.unread * 2 > c.sockets
    THEN 'Look for connections that the program has stopped reading: idle ones in a pool, or ones whose '
      || 'handler is blocked.'
    ELSE 'Look for connections on which the program waits for nothing any more, so that read() or recv() never '
      || 'gives it the 0 of the end, and for the place where it gets that 0 and does not close.' END AS advice,
  printf('SELECT fd, inode, local, remote, since, seconds, unread FROM close_wait WHERE stays AND process = '
    || '%d ORDER BY fd', c.process) AS evidence,
  (SELECT held_by FROM _held_by b WHERE b.process = c.process) AS held_by,
  j.judgement, t.trend
FROM counted c
JOIN processes p USING (process)
JOIN limit_pressure x USING (process)
JOIN dead_judgement j ON j.process = c.process AND j.verdict = 'peer-closed'
JOIN (
  SELECT process, iif(judgement = 'held', printf('their number %s in the second half of the recording',
    iif(more > 0, 'hardly grew', 'did not grow')), NULL) AS trend
  FROM dead_judgement
  WHERE verdict = 'peer-closed'
) t ON t.process = c.process
