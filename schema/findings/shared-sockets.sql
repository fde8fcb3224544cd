-- A socket whose connection has ended, or whose peer has ended its side, and that several fds hold: it goes only
-- when all of them are closed.
SELECT
  'warning' AS severity,
  printf('%d of its %s held by more than one fd', count(*),
         iif(count(*) = 1, 'sockets without a live peer is', 'sockets without a live peer are')) AS title,
  p.pid, p.start_ticks,
  printf('Observed: up to %d fds hold one and the same socket%s. Inferred: it was inherited through fork, '
    || 'duplicated or passed on, and to close one copy changes nothing while another is open. Not known: whether processes that are '
    || 'not recorded hold it too.',
    max(h.holders), iif(max(h.process_count) > 1, printf(', in up to %d processes', max(h.process_count)),
    ', all in this process')) AS explanation,
  'Close the fd in every process that has it: a child after fork, the parent after handing it over. '
    || 'O_CLOEXEC keeps it out of programs that are executed.' AS advice,
  printf('SELECT * FROM socket_holder h WHERE EXISTS (SELECT 1 FROM socket_holder o WHERE o.pid = %d AND '
    || 'o.start_ticks = %d AND o.verdict IN (''outlived'', ''peer-closed'') AND o.inode = h.inode AND '
    || 'o.last_snapshot = h.last_snapshot AND o.local IS h.local AND o.remote IS h.remote) '
    || 'ORDER BY inode, pid, fd', p.pid, p.start_ticks) AS evidence,
  (SELECT held_by FROM _held_by b WHERE b.process = h.process) AS held_by
FROM (
  SELECT DISTINCT process, inode, holders, process_count FROM socket_holder
  WHERE verdict IN ('outlived', 'peer-closed')
) h
JOIN processes p USING (process)
GROUP BY h.process
HAVING count(*) > 0
