-- A socket whose connection has ended, or whose peer has ended its side, and that several fds hold: it goes only
-- when all of them are closed.
SELECT
  'warning' AS severity,
  printf('%d of its %s held by more than one fd', count(*),
         iif(count(*) = 1, 'sockets without a live peer is', 'sockets without a live peer are')) AS title,
  p.pid, p.start_ticks,
  printf('Observed: up to %d fds hold one and the same socket%s. Inferred: it was %s, and to close one copy changes nothing while another is open. Not known: whether processes '
    || 'that are not recorded hold it too.',
    max(h.holders), iif(max(h.process_count) > 1, printf(', in up to %d processes', max(h.process_count)),
    ', all in this process'), iif(max(h.process_count) > 1, 'inherited through fork, duplicated or passed on',
    'duplicated (dup(), fcntl(F_DUPFD), or passed on to itself)')) AS explanation,
  iif(max(h.process_count) > 1, 'Close the fd in every process that has it: a child after fork, the parent after handing it '
    || 'over. O_CLOEXEC keeps it out of programs that are executed.',
    'Look where the program duplicates an fd, as for a reader and a writer of one connection: each copy has to be closed.')
    AS advice,
  printf('SELECT h.* FROM (SELECT DISTINCT inode, last_snapshot, local, remote FROM socket_holder WHERE process = %d '
    || 'AND verdict IN (''outlived'', ''peer-closed'')) o JOIN socket_holder h ON h.inode = o.inode AND '
    || 'h.last_snapshot = o.last_snapshot AND h.local IS o.local AND h.remote IS o.remote '
    || 'ORDER BY h.inode, h.pid, h.fd', h.process) AS evidence,
  (SELECT held_by FROM _held_by b WHERE b.process = h.process) AS held_by
FROM (
  SELECT DISTINCT process, inode, holders, process_count FROM socket_holder
  WHERE verdict IN ('outlived', 'peer-closed')
) h
JOIN processes p USING (process)
GROUP BY h.process
HAVING count(*) > 0
