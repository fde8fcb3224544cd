-- Connections wait at the listeners of a process: it is, or was, out of fds, so that nobody can accept them, or it has
-- fds and does not accept them for longer than the grace period. One finding on all of its listeners; the fullest
-- is named first.
WITH queue AS (
  -- What waited, as long as it was the same number.
  SELECT f.process, f.last_snapshot AS end, f.is_full, k.inode, k.netns, n.id AS netns_id, k.net_table, k.local, k.local_port,
    q.rx_queue AS waiting, max(q.first_snapshot, k.first_snapshot) AS first,
    min(q.last_snapshot, k.last_snapshot, f.last_snapshot) AS last
  FROM process_fds f
  JOIN sockets k ON k.process = f.process AND k.last_state = 'LISTEN'
    AND k.verdict IN ('listening', 'unlisted')
  JOIN netns n ON n.inode = k.netns
  JOIN inet_queue_span q ON q.inode = k.inode AND q.netns = n.id AND q.net_table = k.net_table
    AND q.rx_queue > 0 AND q.first_snapshot <= k.last_snapshot AND q.last_snapshot >= k.first_snapshot
), full AS (
  -- For a part of that time no fd was free.
  SELECT q.*, max(q.first, c.snapshot) AS snapshot, min(q.last, coalesce((SELECT min(n.snapshot) - 1 FROM fd_count n
      WHERE n.process = c.process AND n.snapshot > c.snapshot), q.last)) AS until
  FROM queue q
  JOIN limit_use c ON c.process = q.process AND c.used >= c.soft_limit AND c.snapshot <= q.last
    AND q.first < coalesce((SELECT min(n.snapshot) FROM fd_count n
      WHERE n.process = c.process AND n.snapshot > c.snapshot), q.first + 1)
), unbroken AS (
  -- Something waits in each snapshot up to the end.
  SELECT q.*, sum(starts) OVER (PARTITION BY process, inode ORDER BY first) AS stretch
  FROM (SELECT *, first IS NOT 1 + lag(last) OVER (PARTITION BY process, inode ORDER BY first) AS starts FROM queue) q
), stuck AS (
  SELECT u.process, u.inode, u.stretch, (z.boottime_ns - a.boottime_ns) / 1e9 AS seconds
  FROM unbroken u
  JOIN setting g ON g.name = 'grace_ms'
  JOIN threshold t
  JOIN snapshot a ON a.id = (SELECT min(o.first) FROM unbroken o WHERE o.process = u.process AND o.inode = u.inode
    AND o.stretch = u.stretch)
  JOIN snapshot z ON z.id = u.end
  WHERE u.last = u.end AND NOT u.is_full AND u.waiting >= t.few_fds AND z.boottime_ns - a.boottime_ns > 1000000 * g.value
    AND NOT EXISTS (SELECT 1 FROM full f WHERE f.process = u.process)
), shown AS (
  SELECT process, inode, netns, netns_id, net_table, local, local_port, waiting, snapshot, last, end, is_full,
    max(until) OVER (PARTITION BY process) AS until, NULL AS seconds,
    row_number() OVER (PARTITION BY process, inode ORDER BY waiting DESC, snapshot) AS rank
  FROM full
  UNION ALL
  SELECT u.process, u.inode, u.netns, u.netns_id, u.net_table, u.local, u.local_port, u.waiting, u.first, u.last, u.end, 0,
    u.end, s.seconds, row_number() OVER (PARTITION BY u.process, u.inode ORDER BY u.first DESC)
  FROM unbroken u
  JOIN stuck s USING (process, inode, stretch)
), fullest AS (
  SELECT s.*, EXISTS (SELECT 1 FROM net_table_span z WHERE z.netns = s.netns_id AND z.net_table = s.net_table AND z.status = 1
      AND s.snapshot BETWEEN z.first_snapshot AND z.last_snapshot) AS is_whole,
    coalesce((SELECT q.waiting FROM queue q WHERE q.process = s.process AND q.inode = s.inode AND q.last = s.end), 0)
      AS waiting_last
  FROM shown s
  WHERE rank = 1
), listener AS (
  SELECT *, row_number() OVER (PARTITION BY process ORDER BY waiting DESC, local_port, local, inode) AS place,
    count(*) OVER (PARTITION BY process) AS listeners, sum(waiting) OVER (PARTITION BY process) AS all_waiting,
    min(is_whole) OVER (PARTITION BY process) AS are_whole, group_concat(inode, ', ') OVER (PARTITION BY process) AS inodes
  FROM (SELECT * FROM fullest ORDER BY process, inode)
), crowded AS (
  -- Where several sockets listen at one address a row does not tell at which of them it waits.
  SELECT l.process, count(DISTINCT x.inode) AS sockets
  FROM listener l
  JOIN inet_span x ON x.netns = l.netns_id AND x.net_table = l.net_table AND x.state = 10 AND x.local_port = l.local_port
    AND (x.local = l.local OR l.local LIKE '0.0.0.0:%' OR l.local LIKE '[::]:%')
    AND l.snapshot BETWEEN x.first_snapshot AND x.last_snapshot
  GROUP BY l.process, l.inode
  HAVING count(DISTINCT x.inode) > 1
), listed AS (
  -- Who a table lists, of the time at which the queue of its listener was fullest.
  SELECT process, peer, count(*) AS connections, sum(state = 'CLOSE_WAIT') AS given_up
  FROM (
    SELECT DISTINCT l.process, w.netns, w.net_table, w.local, w.remote, w.peer, w.state
    FROM listener l
    JOIN waiting_connection w ON w.netns = l.netns AND w.local_port = l.local_port
      AND w.net_table = l.net_table
      AND (w.local = l.local OR l.local LIKE '0.0.0.0:%' OR l.local LIKE '[::]:%')
      AND l.snapshot BETWEEN w.first_snapshot AND w.last_snapshot
  )
  GROUP BY process, peer
), peer AS (
  SELECT *, iif(peer LIKE '[::ffff:%.%', substr(peer, 9, length(peer) - 9), peer) AS address,
    row_number() OVER (PARTITION BY process ORDER BY connections DESC, peer) AS rank
  FROM listed
), told AS (
  SELECT process, sum(connections) AS connections, sum(given_up) AS given_up,
    group_concat(iif(rank <= 5, printf('%s (%d)', address, connections), NULL), ', ')
      || iif(count(*) > 5, ' and others', '') AS words
  FROM (SELECT * FROM peer ORDER BY process, rank)
  GROUP BY process
), other AS (
  SELECT process, group_concat(iif(place <= 6, printf('%s up to %d', local, waiting), NULL), ', ')
      || iif(count(*) > 5, ' and others', '') AS words
  FROM (SELECT * FROM listener WHERE place > 1 ORDER BY process, place)
  GROUP BY process
)
SELECT
  iif(q.seconds IS NULL, 'critical', 'warning') AS severity,
  CASE WHEN q.is_now OR q.seconds IS NOT NULL
    THEN printf('%d %s in the accept queue of %s, and %s', q.waiting_last, iif(q.waiting_last = 1, 'connection waits',
      'connections wait'), q.local, iif(q.seconds IS NULL, 'no fd is free', 'the program does not accept them'))
    ELSE printf('up to %d %s in the accept queue of %s while no fd was free, at last at %sZ', q.waiting,
      iif(q.waiting = 1, 'connection waited', 'connections waited'), q.local, substr(l.taken_at, 1, 19)) END
    || CASE WHEN q.listeners = 1 THEN ''
      ELSE printf('; so %s at %d other %s', iif(q.is_now OR q.seconds IS NOT NULL, 'do some', 'did some'), q.listeners - 1,
        iif(q.listeners = 2, 'listener', 'listeners')) END AS title,
  p.pid, p.start_ticks,
  iif(q.seconds IS NULL,
      printf('Observed: the row of the listening socket shows up to %d connections in its queue (snapshot %d, '
        || '%sZ), while no fd number below the limit %s free.', q.waiting, q.snapshot,
        substr(s.taken_at, 1, 19), iif(q.is_now, 'is', 'was')),
      printf('Observed: something waits in its queue in each snapshot of the last %.0f s, while fds are free.', q.seconds))
    || iif(q.last - q.snapshot >= 2, printf(' It stood at %d from snapshot %d to %d.', q.waiting, q.snapshot, q.last), '')
    || coalesce(' Other listeners: ' || o.words || '.', '')
    || coalesce(iif(m.sockets IS NULL, printf(' Of %d the table lists %d in ESTABLISHED', q.all_waiting,
        t.connections - t.given_up), printf(' %d sockets listen at one address, and the table does not tell at which of them a '
        || 'connection waits: of all it lists %d in ESTABLISHED', m.sockets, t.connections - t.given_up))
      || iif(t.given_up > 0, printf(' and %d in CLOSE_WAIT, whose clients have given up or ended their side',
      t.given_up), '') || '.', '')
    || coalesce(' These came from ' || t.words || '.', '')
    || CASE WHEN q.seconds IS NOT NULL THEN ' Inferred: the program does not call accept(), or more slowly than clients come.'
      WHEN q.is_now THEN ' Inferred: accept() fails with EMFILE, and nobody answers these clients.'
      ELSE ' Inferred: accept() failed with EMFILE then, and nobody answered these clients.' END
    || iif(q.are_whole AND m.sockets IS NULL AND coalesce(t.connections, 0) < q.all_waiting, printf(' The %d that no table lists %s reset by '
      || 'the client: such a one stays in the queue until it is accepted.',
      q.all_waiting - coalesce(t.connections, 0),
      iif(q.all_waiting - coalesce(t.connections, 0) = 1, 'was', 'were')), '')
    || iif(q.last - q.snapshot >= 2, ' Not known: whether it is full, so that further clients get no connection, or no more '
      || 'came', ' Not known: how many more fit in') || ': the table does not tell the backlog of listen().' AS explanation,
  CASE WHEN q.seconds IS NOT NULL
    THEN 'See what the threads that accept do (a stack of each): one that serves a client meanwhile, or waits for a lock, '
      || 'accepts nobody.'
    WHEN q.is_now THEN 'Free fds or raise the limit: the program accepts the waiting connections as soon as it can, also '
      || 'those whose clients have given up.'
    ELSE 'Fds are free again, or the queue is empty: see what freed them, and look in the log of that time for accepts '
      || 'that failed.' END AS advice,
  printf('SELECT s.id AS snapshot, s.taken_at, k.local, q.rx_queue AS waiting FROM sockets k JOIN netns n '
    || 'ON n.inode = k.netns JOIN inet_queue_span q ON q.inode = k.inode AND q.netns = n.id AND q.net_table = '
    || 'k.net_table AND q.rx_queue > 0 AND q.first_snapshot <= k.last_snapshot AND q.last_snapshot >= '
    || 'k.first_snapshot JOIN snapshot s ON s.id = max(q.first_snapshot, k.first_snapshot) WHERE k.process = %d '
    || 'AND k.last_state = ''LISTEN'' AND k.inode IN (%s) ORDER BY s.id, k.local', q.process, q.inodes)
    AS evidence
FROM (SELECT q.*, q.seconds IS NULL AND q.is_full AND q.waiting_last > 0 AND p.ended_by IS NULL AS is_now
      FROM listener q JOIN processes p USING (process)) q
JOIN processes p USING (process)
JOIN snapshot s ON s.id = q.snapshot
JOIN snapshot l ON l.id = q.until
LEFT JOIN told t USING (process)
LEFT JOIN (SELECT process, max(sockets) AS sockets FROM crowded GROUP BY process) m USING (process)
LEFT JOIN other o USING (process)
WHERE q.place = 1
