-- Connections wait at a listener of a process that is out of fds: nobody can accept them.
WITH full AS (
  SELECT f.process, k.inode, k.netns, k.local, k.local_port, q.rx_queue AS waiting,
    q.netns AS netns_id, q.net_table, k.first_snapshot AS listened_from, k.last_snapshot AS listened_to,
    max(q.first_snapshot, f.limit_reached) AS snapshot,
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
), peer AS (
  SELECT f.process, f.inode, w.peer, count(*) AS connections
  FROM full f
  JOIN waiting_connection w ON w.netns = f.netns AND w.local_port = f.local_port
    AND f.snapshot BETWEEN w.first_snapshot AND w.last_snapshot
  WHERE f.rank = 1
  GROUP BY f.process, f.inode, w.peer
)
SELECT
  'critical' AS severity,
  printf('the accept queue of %s fills up: %d %s, and no fd is free', q.local, q.waiting,
         iif(q.waiting = 1, 'connection waits in it', 'connections wait in it')) AS title,
  p.pid, p.start_ticks,
  printf('Observed: the row of the listening socket shows up to %d connections in its queue (snapshot %d, '
    || '%sZ), while the process has as many fds as its limit allows.%s Inferred: accept() fails with EMFILE. '
    || 'To the peers these connections look open, and nobody answers. Not known: how many more fit in: the '
    || 'table does not tell the backlog of listen().', q.waiting, q.snapshot,
    substr(s.taken_at, 1, 19),
    coalesce(' They came from ' || (SELECT group_concat(printf('%s (%d)',
        iif(peer LIKE '[::ffff:%.%', substr(peer, 9, length(peer) - 9), peer), connections), ', ') FROM (SELECT * FROM peer e WHERE e.process = q.process AND e.inode = q.inode
        ORDER BY connections DESC, peer LIMIT 5))
      || iif((SELECT count(*) FROM peer e WHERE e.process = q.process AND e.inode = q.inode) > 5,
             ' and others.', '.'), '')) AS explanation,
  'Free fds or raise the limit: the program accepts the waiting connections as soon as it can.' AS advice,
  printf('SELECT s.id AS snapshot, s.taken_at, q.rx_queue AS waiting FROM inet_queue_span q JOIN snapshot s '
    || 'ON s.id = q.first_snapshot WHERE q.inode = %d AND q.netns = %d AND q.net_table = %d AND q.rx_queue > 0 '
    || 'AND q.first_snapshot <= %d AND q.last_snapshot >= %d ORDER BY s.id', q.inode, q.netns_id, q.net_table,
    q.listened_to, q.listened_from) AS evidence
FROM full q
JOIN processes p USING (process)
JOIN snapshot s ON s.id = q.snapshot
WHERE q.rank = 1
