-- Connections wait at a listener of a process that is out of fds: nobody can accept them.
SELECT
  'critical' AS severity,
  printf('%d %s in the accept queue of %s while no fd is free', q.waiting,
         iif(q.waiting = 1, 'connection waits', 'connections wait'), q.local) AS title,
  p.pid, p.start_ticks,
  printf('The listening socket''s row shows its queue, up to %d long (at %s). To the peers these connections '
    || 'look open, and nobody answers.', q.waiting, s.taken_at) AS explanation,
  'Free fds or raise the limit; the program accepts the waiting connections as soon as it can.' AS advice,
  printf('SELECT s.taken_at, q.rx_queue AS waiting FROM inet_queue_span q JOIN snapshot s ON s.id = '
    || 'q.first_snapshot WHERE q.inode = %d AND q.netns = %d AND q.net_table = %d AND q.rx_queue > 0 AND '
    || 'q.first_snapshot <= %d AND q.last_snapshot >= %d ORDER BY s.id', q.inode, q.netns, q.net_table,
    q.listened_to, q.listened_from) AS evidence
FROM (
  SELECT f.process, k.inode, k.local, max(q.rx_queue) AS waiting, q.netns, q.net_table, q.first_snapshot,
    k.first_snapshot AS listened_from, k.last_snapshot AS listened_to
  FROM process_fds f
  JOIN sockets k ON k.process = f.process AND k.last_state = 'LISTEN'
    AND k.verdict IN ('listening', 'unlisted')
  JOIN netns n ON n.inode = k.netns
  JOIN inet_queue_span q ON q.inode = k.inode AND q.netns = n.id AND q.net_table = k.net_table
    AND q.rx_queue > 0 AND q.first_snapshot <= k.last_snapshot AND q.last_snapshot >= k.first_snapshot
  -- For a part of the time in which the queue was so, no fd was free.
  JOIN fd_count c ON c.process = f.process AND c.fds >= c.soft_limit AND c.snapshot <= q.last_snapshot
    AND q.first_snapshot < coalesce((SELECT min(n.snapshot) FROM fd_count n
      WHERE n.process = c.process AND n.snapshot > c.snapshot), q.first_snapshot + 1)
  WHERE f.limit_reached IS NOT NULL
  GROUP BY f.process, k.inode
) q
JOIN processes p USING (process)
JOIN snapshot s ON s.id = max(q.first_snapshot, (SELECT limit_reached FROM process_fds f
                                                 WHERE f.process = q.process))
