-- Connections wait at the listeners of a process that is out of fds: nobody can accept them. One finding
-- on all of its listeners; the fullest is named first.
WITH full AS (
  SELECT f.process, k.inode, k.netns, k.net_table, k.local, k.local_port, q.rx_queue AS waiting,
    max(q.first_snapshot, f.limit_reached) AS snapshot,
    EXISTS (SELECT 1 FROM net_table_span z WHERE z.netns = q.netns AND z.net_table = q.net_table AND z.status = 1
      AND max(q.first_snapshot, f.limit_reached) BETWEEN z.first_snapshot AND z.last_snapshot) AS is_whole,
    row_number() OVER (PARTITION BY f.process, k.inode
                       ORDER BY q.rx_queue DESC, q.first_snapshot) AS rank
  FROM process_fds f
  JOIN sockets k ON k.process = f.process AND k.last_state = 'LISTEN'
    AND k.verdict IN ('listening', 'unlisted')
  JOIN netns n ON n.inode = k.netns
  JOIN inet_queue_span q ON q.inode = k.inode AND q.netns = n.id AND q.net_table = k.net_table
    AND q.rx_queue > 0 AND q.first_snapshot <= k.last_snapshot AND q.last_snapshot >= k.first_snapshot
  -- For a part of the time in which the queue was so, no fd was free.
  JOIN limit_use c ON c.process = f.process AND c.used >= c.soft_limit AND c.snapshot <= q.last_snapshot
    AND q.first_snapshot < coalesce((SELECT min(n.snapshot) FROM fd_count n
      WHERE n.process = c.process AND n.snapshot > c.snapshot), q.first_snapshot + 1)
  WHERE f.limit_reached IS NOT NULL
), listener AS (
  SELECT *, row_number() OVER (PARTITION BY process ORDER BY waiting DESC, local_port, local, inode) AS place,
    count(*) OVER (PARTITION BY process) AS listeners, sum(waiting) OVER (PARTITION BY process) AS all_waiting,
    min(is_whole) OVER (PARTITION BY process) AS are_whole, group_concat(inode, ', ') OVER (PARTITION BY process) AS inodes
  FROM (SELECT * FROM full WHERE rank = 1 ORDER BY process, inode)
), listed AS (
  -- Who a table lists, of the time at which the queue of its listener was fullest.
  SELECT l.process, w.peer, count(*) AS connections, sum(w.state = 'CLOSE_WAIT') AS given_up
  FROM listener l
  JOIN waiting_connection w ON w.netns = l.netns AND w.local_port = l.local_port
    AND w.net_table = l.net_table
    AND (w.local = l.local OR l.local LIKE '0.0.0.0:%' OR l.local LIKE '[::]:%')
    AND l.snapshot BETWEEN w.first_snapshot AND w.last_snapshot
  GROUP BY l.process, w.peer
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
  'critical' AS severity,
  printf('the accept queue of %s fills up: %d %s, and no fd is free', q.local, q.waiting,
         iif(q.waiting = 1, 'connection waits in it', 'connections wait in it'))
    || CASE WHEN q.listeners = 1 THEN ''
      ELSE printf('; so %s of %d other %s', iif(q.listeners = 2, 'does that', 'do those'), q.listeners - 1,
        iif(q.listeners = 2, 'listener', 'listeners')) END AS title,
  p.pid, p.start_ticks,
  printf('Observed: the row of the listening socket shows up to %d connections in its queue (snapshot %d, '
    || '%sZ), while no fd number below the limit is free.', q.waiting, q.snapshot,
    substr(s.taken_at, 1, 19))
    || coalesce(' Other listeners: ' || o.words || '.', '')
    || coalesce(printf(' Of %d the table lists %d in ESTABLISHED', q.all_waiting, t.connections - t.given_up)
      || iif(t.given_up > 0, printf(' and %d in CLOSE_WAIT, whose clients have given up or ended their side',
      t.given_up), '') || '.', '')
    || coalesce(' These came from ' || t.words || '.', '')
    || ' Inferred: accept() fails with EMFILE, and nobody answers these clients.'
    || iif(q.are_whole AND coalesce(t.connections, 0) < q.all_waiting, printf(' The %d that no table lists %s reset by '
      || 'the client: such a one stays in the queue until it is accepted.',
      q.all_waiting - coalesce(t.connections, 0),
      iif(q.all_waiting - coalesce(t.connections, 0) = 1, 'was', 'were')), '')
    || ' Not known: how many more fit in: the table does not tell the backlog of listen().' AS explanation,
  'Free fds or raise the limit: the program accepts the waiting connections as soon as it can, also those whose '
    || 'clients have given up.' AS advice,
  printf('SELECT s.id AS snapshot, s.taken_at, k.local, q.rx_queue AS waiting FROM sockets k JOIN netns n '
    || 'ON n.inode = k.netns JOIN inet_queue_span q ON q.inode = k.inode AND q.netns = n.id AND q.net_table = '
    || 'k.net_table AND q.rx_queue > 0 AND q.first_snapshot <= k.last_snapshot AND q.last_snapshot >= '
    || 'k.first_snapshot JOIN snapshot s ON s.id = max(q.first_snapshot, k.first_snapshot) WHERE k.process = %d '
    || 'AND k.last_state = ''LISTEN'' AND k.inode IN (%s) ORDER BY s.id, k.local', q.process, q.inodes)
    AS evidence
FROM listener q
JOIN processes p USING (process)
JOIN snapshot s ON s.id = q.snapshot
LEFT JOIN told t USING (process)
LEFT JOIN other o USING (process)
WHERE q.place = 1
