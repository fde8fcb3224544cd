-- Fds that are still open after their connection is gone. Longer than the grace period: a leak of dead
-- sockets. Where the whole recording is shorter than that, how long is not known: then it counts when they last
-- carried data (dead_judgement).
WITH dead AS (
  SELECT s.*, j.judgement, j.old, j.more, j.judgement IN ('likely', 'undecided', 'few') AS is_short
  FROM outlived s
  JOIN dead_judgement j ON j.process = s.process AND j.verdict = 'outlived'
  WHERE s.open_at_end
), counted AS (
  SELECT process, judgement, is_short, old, count(*) AS fds,
    iif(judgement = 'held', printf('their number %s in the second half of the recording',
      iif(more > 0, 'hardly grew', 'did not grow')), NULL) AS trend, sum(leak) AS leaks,
    sum(proof = 'autopsy') AS autopsy, sum(proof = 'history') AS history, sum(proof = 'single') AS single,
    sum(watched_by = '[]') AS forgotten, sum(watched_by <> '[]') AS ignored,
    sum(id IN (SELECT id FROM _of_unread_netns)) AS unread_netns, sum(connection_last_seen IS NOT NULL) AS listed, sum(last_data_at IS NOT NULL) AS with_data,
    min(connection_last_seen) AS first_lost,
    max(CASE WHEN connection_last_seen IS NOT NULL THEN outlived_since END) AS last_lost,
    min(last_data_at) AS first_data, max(last_data_at) AS last_data
  FROM dead
  WHERE leak OR is_short
  GROUP BY process
)
SELECT
  -- What is less certain is never worse.
  CASE WHEN c.judgement IN ('undecided', 'few') THEN 'info' WHEN c.judgement = 'late'
    THEN iif(x.pressure IS NULL, 'info', 'warning')
    -- What does not grow is no part of a forecast.
    WHEN c.judgement = 'held' THEN iif(x.pressure IS NULL OR x.pressure = 'soon', 'warning', 'critical')
    ELSE iif(x.pressure IS NULL, 'warning', 'critical') END
    AS severity,
  printf('%d %s%s', c.fds, iif(c.fds = 1, 'fd outlived its connection', 'fds outlived their connections'),
    CASE c.judgement WHEN 'held' THEN iif(c.fds = 1, ' and stays', ' and stay') || ' open; ' || c.trend
      WHEN 'late' THEN printf(' for longer than %s; such fds are closed, but late', g.words)
      WHEN 'undecided' THEN printf(', %s known for longer than %s: a leak, or handlers that are slow to close',
        iif(c.fds = 1, 'not', 'none'), g.words)
      WHEN 'leak' THEN ''
      ELSE '; for how long can''t be told from so short a recording' END) AS title,
  p.pid, p.start_ticks,
  iif(p.ended_by IS NULL, 'Observed: these fds are open, and ',
      'Observed: these fds were open when the process was last seen, and ')
    || CASE c.unread_netns WHEN 0 THEN iif(p.ended_by IS NULL, 'no TCP table of their network namespace lists their sockets',
        'no TCP table of their network namespace listed their sockets')
      WHEN c.fds THEN 'their sockets are of a network namespace of which no table was read'
      ELSE printf('no TCP table that was read %s their sockets (%d %s of a network namespace that was not read)',
        iif(p.ended_by IS NULL, 'lists', 'listed'), c.unread_netns, iif(c.unread_netns = 1, 'is', 'are')) END
    || iif(c.leaks = 0, '. ', printf(', for longer than the grace period of %s. ', g.words))
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
    || iif(c.judgement = 'likely', printf('Of %d that was longer than %s before the last look. ', c.old, g.words), '')
    || coalesce((SELECT words FROM _dead_words d WHERE d.process = c.process AND d.verdict = 'outlived'), '')
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
    || CASE
      WHEN c.judgement IN ('undecided', 'few') THEN iif(p.ended_by IS NULL,
        printf('Not known: whether the program will close them: a handler that is at work and finds out late looks '
          || 'the same meanwhile. What decides it is whether they are still open after %s, which a recording of at '
          || 'least %s shows. Nor why each connection ended: ', g.words, g.twice),
        'Not known: whether the program would have closed them: a handler that is at work and finds out late looks '
          || 'the same meanwhile. Nor why each connection ended: ')
      ELSE CASE
        WHEN c.judgement = 'held' THEN printf(iif(p.ended_by IS NULL, 'Inferred: the program%s does not see, or ignores, that they are dead',
          'Inferred: the program%s did not see, or ignored, that they were dead'), iif(o.is_accepted, '', ', or a pool in it,'))
        WHEN c.judgement = 'late' THEN iif(p.ended_by IS NULL,
          'Inferred: the program closes them, but late, as a handler that is slow or a reaper that looks now and then',
          'Inferred: the program closed them, but late, as a handler that is slow or a reaper that looks now and then')
        ELSE 'Inferred: ' || iif(c.judgement = 'likely', 'most likely ', '') || CASE
          WHEN c.ignored = 0 THEN printf('the program %s forgotten them', w.has)
          WHEN c.forgotten = 0 THEN iif(p.ended_by IS NULL, 'the program ignores what the epoll reports of them',
            'the program ignored what the epoll reported of them')
          ELSE printf('the program %s forgotten them, or %s them', w.has,
            iif(p.ended_by IS NULL, 'ignores', 'ignored')) END END
        || CASE WHEN c.judgement = 'late' THEN '' WHEN p.ended_by IS NULL
          THEN '; nothing but the program can close them' ELSE '; its end closed them' END
        || '. Not known: why each connection ended; ' END
    || 'the kernel keeps no reason.' AS explanation,
  CASE
    WHEN c.judgement IN ('undecided', 'few') AND p.ended_by IS NOT NULL THEN printf('Record the one that comes next by its name '
      || '(fdcapture record -o FILE --comm NAME --duration %s). One that never lives for %s can be judged by a shorter time '
      || 'only: fdanalyze report --grace, no shorter than its slowest handler takes.', g.twice_option, g.words)
    WHEN c.judgement IN ('undecided', 'few') THEN printf('Record it for at least %s, twice the grace period '
      || '(fdcapture record -o FILE --pid %s --duration %s), and longer than its slowest handler takes: it shows whether '
      || 'those that are dead for longer than %s are closed.', g.twice, p.pid,
      g.twice_option, g.words)
    WHEN c.judgement = 'late' THEN 'Nothing, if so many fds are to spare. Else let the program see the end of a '
      || 'connection sooner, or look for dead ones more often.'
    WHEN c.judgement = 'held' AND o.is_accepted THEN 'Look what owns them: they were accepted, so most often a session or '
      || 'a handler that waits for something else. It has to see the end of the connection, or to time out, and to close. '
    WHEN c.judgement = 'held' THEN 'Look what owns them, most often a pool of connections: it has to test a '
      || 'connection that was idle before it uses it, and to close the dead ones. '
    ELSE 'Look in the program for the path that a connection takes when it ends'
      || iif(c.first_lost IS NULL, ': the fd is dropped there without close(). ', ' with the last state listed: '
        || 'the fd is dropped there without close(). ESTABLISHED as the last state means that the connection '
        || 'went from one snapshot to the next, as after a reset by the peer. ') END
    || iif(c.judgement IN ('undecided', 'few', 'late'), '', 'What owns the fd (the pool, the client, the stream) has to close '
      || 'it: a close() of the bare number behind its back is done twice, and the second can hit another file. '
      || iif(p.ended_by IS NULL, 'A restart frees the fds for a time.',
      'The end of the process has freed them; one that is started again may go the same way.'))
    || iif(c.judgement = 'likely', coalesce(' ' || w.to_be_sure, ''), '') AS advice,
  printf('SELECT fd, inode, local, remote, last_state, last_data_at, outlived_seconds, proof, watched_by '
    || 'FROM outlived WHERE open_at_end%s AND pid = %d AND start_ticks = %d ORDER BY fd',
    iif(c.is_short, '', ' AND leak'), p.pid, p.start_ticks) AS evidence,
  (SELECT held_by FROM _held_by b WHERE b.process = c.process) AS held_by,
  c.judgement, c.trend, iif(c.judgement = 'likely', w.to_be_sure, NULL) AS to_be_sure,
  o.is_accepted AS are_accepted
FROM counted c
JOIN _grace g
JOIN processes p USING (process)
JOIN limit_pressure x USING (process)
JOIN (
  SELECT process, iif(ended_by IS NULL, 'has', 'had') AS has,
    iif(ended_by IS NULL, printf('To be sure, record it for at least %s, twice the grace period (fdcapture record -o FILE '
      || '--pid %s --duration %s).', twice, pid, twice_option), NULL) AS to_be_sure
  FROM processes
  JOIN _grace
) w USING (process)
JOIN (
  -- Whether most of them were accepted: are at a port on which somebody listened.
  SELECT process, total(iif(direction = 'in', count, -count)) > 0 AS is_accepted
  FROM peer_group
  WHERE verdict = 'outlived'
  GROUP BY process
) o USING (process)
