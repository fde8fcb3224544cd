-- Fds that are still open after their connection is gone. Longer than the grace period: a leak of dead
-- sockets. Where the whole recording is shorter than that, how long is not known, and the number counts.
WITH dead AS (
  SELECT s.*, f.limit_reached, f.fds_last, f.fds_peak, f.soft_limit,
    (SELECT z.boottime_ns - a.boottime_ns FROM snapshot a, snapshot z
     WHERE a.id = f.first_snapshot AND z.id = f.last_snapshot)
      <= 1000000 * (SELECT value FROM setting WHERE name = 'grace_ms') AS is_short
  FROM outlived s
  JOIN process_fds f USING (process)
  WHERE s.open_at_end
), counted AS (
  SELECT process, limit_reached, fds_last, is_short, fds_peak, soft_limit, count(*) AS fds, sum(leak) AS leaks,
    sum(proof = 'autopsy') AS autopsy, sum(proof = 'history') AS history, sum(proof = 'single') AS single,
    sum(watched_by = '[]') AS forgotten, sum(watched_by <> '[]') AS ignored,
    sum(connection_last_seen IS NOT NULL) AS listed, sum(last_data_at IS NOT NULL) AS with_data,
    min(connection_last_seen) AS first_lost,
    max(CASE WHEN connection_last_seen IS NOT NULL THEN outlived_since END) AS last_lost,
    min(last_data_at) AS first_data, max(last_data_at) AS last_data
  FROM dead
  WHERE leak OR is_short
  GROUP BY process
)
SELECT
  -- Proven and near exhaustion, or most of all fds: somebody has to act today.
  -- A few in a short recording can be ones that are closed in the next moment.
  CASE WHEN c.leaks = 0 AND (c.fds < 8 OR c.fds * 5 < c.fds_last) AND c.fds * 2 <= c.fds_last THEN 'info'
    WHEN c.limit_reached IS NOT NULL OR c.fds * 2 > c.fds_last OR g.hours_left <= 24
      OR c.fds_peak * 5 >= c.soft_limit * 4 THEN 'critical' ELSE 'warning' END AS severity,
  printf('%d %s%s', c.fds, iif(c.fds = 1, 'fd outlived its connection', 'fds outlived their connections'),
         iif(c.leaks = 0, '; for how long can''t be told from so short a recording', ''))
    AS title,
  p.pid, p.start_ticks,
  iif(p.ended_by IS NULL,
      'Observed: these fds are open, and no TCP table of their network namespace lists their sockets',
      'Observed: these fds were open when the process was last seen, and no TCP table of their network namespace '
    || 'listed their sockets')
    || iif(c.leaks = 0, '. ', printf(', for longer than the grace period of %s. ',
      (SELECT words FROM _grace)))
    || iif(c.autopsy > 0, printf('Of %s the kernel itself says that the socket is closed and was once '
      || 'connected (proof: autopsy). ', iif(c.autopsy = 1, 'one', c.autopsy)), '')
    || iif(c.history > 0, printf('Of %s an earlier snapshot lists the connection and at least two later '
      || 'looks at the tables do not (proof: history). ', iif(c.history = 1, 'one', c.history)), '')
    || iif(c.single > 0, printf('Of %s an earlier snapshot lists the connection and one later look does '
      || 'not (proof: single). ', iif(c.single = 1, 'one', c.single)), '')
    || CASE WHEN c.listed = 0 THEN 'No snapshot lists a connection of any of them: each was gone before, or went '
        || 'between two snapshots. '
      ELSE CASE WHEN c.fds = 1 THEN 'Its connection' WHEN c.listed = c.fds THEN 'Their connections'
          WHEN c.listed = 1 THEN printf('Of %d, 1 was still listed, and its connection', c.fds)
          ELSE printf('Of %d, %d were still listed, and their connections', c.fds, c.listed) END
        || printf(' went between %sZ and %sZ', substr(c.first_lost, 1, 19), substr(c.last_lost, 1, 19))
        || CASE c.fds - c.listed WHEN 0 THEN '' WHEN 1 THEN '; no snapshot lists the connection of the other one'
          ELSE printf('; no snapshot lists the connections of the other %d', c.fds - c.listed) END || '. ' END
    || iif(c.first_data IS NOT NULL, printf('%s last carried data between %sZ and %sZ. ',
      CASE WHEN c.fds = 1 THEN 'It' WHEN c.with_data = c.fds THEN 'They' WHEN c.with_data = 1 THEN 'One of them'
        ELSE printf('%d of them', c.with_data) END,
      substr(c.first_data, 1, 19), substr(c.last_data, 1, 19)), '')
    || CASE WHEN NOT EXISTS (SELECT 1 FROM fd_span e WHERE e.process = c.process AND e.kind = 'eventpoll')
      THEN ''
      WHEN c.ignored = 0 THEN iif(p.ended_by IS NULL, 'No epoll watches any of them. ',
        'No epoll watched any of them. ')
      WHEN c.forgotten = 0 THEN iif(p.ended_by IS NULL, 'An epoll still watches each of them. ',
        'An epoll still watched each of them. ')
      ELSE printf('%d %s watched by no epoll (forgotten), %d still %s (ignored). ', c.forgotten,
        CASE WHEN p.ended_by IS NULL THEN iif(c.forgotten = 1, 'is', 'are') ELSE iif(c.forgotten = 1, 'was', 'were')
          END, c.ignored,
        CASE WHEN p.ended_by IS NULL THEN iif(c.ignored = 1, 'is', 'are') ELSE iif(c.ignored = 1, 'was', 'were')
          END) END
    || CASE WHEN c.ignored = 0 THEN printf('Inferred: the program %s forgotten them', w.has)
      WHEN c.forgotten = 0 THEN printf('Inferred: the program %s what the epoll %s of them',
        iif(p.ended_by IS NULL, 'ignores', 'ignored'), iif(p.ended_by IS NULL, 'reports', 'reported'))
      ELSE printf('Inferred: the program %s forgotten them, or %s them', w.has,
        iif(p.ended_by IS NULL, 'ignores', 'ignored')) END
    || iif(p.ended_by IS NULL, '; nothing but the program can close them.', '; its end closed them.') || ' Not known: why each connection ended; the kernel keeps '
    || 'no reason.' AS explanation,
  'Look in the program for the path that a connection takes when it ends'
    || iif(c.first_lost IS NULL, ': the fd is dropped there without close(). ', ' with the last state listed: '
      || 'the fd is dropped there without close(). ESTABLISHED as the last state means that the connection '
      || 'went from one snapshot to the next, as after a reset by the peer. ') || 'Closing the fd is always safe, since '
    || 'the connection is gone. ' || iif(p.ended_by IS NULL, 'A restart frees the fds for a time.',
    'The end of the process has freed them; one that is started again may go the same way.') AS advice,
  printf('SELECT fd, inode, local, remote, last_state, last_data_at, outlived_seconds, proof, watched_by '
    || 'FROM outlived WHERE open_at_end%s AND pid = %d AND start_ticks = %d ORDER BY fd',
    iif(c.is_short, '', ' AND leak'), p.pid, p.start_ticks) AS evidence,
  (SELECT held_by FROM _held_by b WHERE b.process = c.process) AS held_by
FROM counted c
JOIN processes p USING (process)
JOIN (SELECT process, iif(ended_by IS NULL, 'has', 'had') AS has FROM processes) w USING (process)
LEFT JOIN growth g USING (process)
