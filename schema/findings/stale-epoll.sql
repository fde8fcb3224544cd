-- Epoll registrations of files that the program does not have under that number any more.
SELECT
  'warning' AS severity,
  printf('%d epoll %s a file that its fd number does not name any more', count(*),
         iif(count(*) = 1, 'registration watches', 'registrations watch')) AS title,
  p.pid, p.start_ticks,
  'A registration belongs to the file, not to the number. It stays when the number is closed while another '
    || 'fd (dup, fork) holds the file, and then reports events under a number that is closed or means '
    || 'something else. An epoll that came through fork from a process that is not recorded also shows what '
    || 'that one registered under its own numbers.' AS explanation,
  'Remove a file from the epoll (EPOLL_CTL_DEL) before its fd is closed, wherever the fd may have been '
    || 'duplicated.' AS advice,
  printf('SELECT * FROM stale_watch WHERE pid = %d AND start_ticks = %d ORDER BY fd, watched_fd', p.pid,
    p.start_ticks) AS evidence
FROM stale_watch s
JOIN processes p USING (process)
GROUP BY s.process
