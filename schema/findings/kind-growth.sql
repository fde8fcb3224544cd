-- Fds of one kind that only grow: pipes, eventfds, epolls, timers, deleted files, directories, sockets that
-- never were connected; and fds of one socket, which was duplicated again and again.
WITH advice (name, text) AS (VALUES
  ('pipe', 'Look where child processes or event loops are started: both ends of a pipe must be closed, in '
    || 'the parent too.'),
  ('eventfd', 'Event loops and thread pools make one each: look for a loop, client or executor that is made '
    || 'again and again and never shut down.'),
  ('eventpoll', 'Event loops make one each: look for a loop, selector or client that is made again and '
    || 'again and never closed.'),
  ('timerfd', 'Look where timers are made: closing the object that holds one must close its fd.'),
  ('signalfd', 'Look where signal handling is set up again and again.'),
  ('inotify', 'Look where file watchers are made and dropped. fs.inotify.max_user_instances ends this '
    || 'earlier than the limit of open files.'),
  ('deleted-file', 'Files that were deleted and are held open also keep their space on the disk: look for '
    || 'log files after rotation and for temporary files that are not closed.'),
  ('directory', 'Look for opendir() without closedir(), or directory streams that are not closed when a '
    || 'loop over them ends early.'),
  ('file', 'See which paths they are (evidence), and look where those are opened and not closed.'),
  ('pidfd', 'Look where child processes are started and reaped.'),
  ('never-connected', 'Such a socket was never used or only bound, or a connect() of it failed at once or while it '
    || 'blocked, of which the kernel keeps nothing: look for a path that gives up before connect(), or after it has failed, and '
    || 'does not close.'),
  ('listening', 'Look where a server or a port is opened again and again: a listener that is not needed any more has to '
    || 'be closed. Clients that connect to one wait, unless somebody accepts them.'),
  ('dup', 'Look where the program duplicates this fd (dup(), fcntl(F_DUPFD), or it is passed on to itself), as for a reader '
    || 'and a writer of one connection: each copy has to be closed.'),
  ('connect-failed', 'Look for the path on which connect() fails: the socket must be closed before the next '
    || 'try.')
)
, socket AS (
  -- Of fds of one socket which it is. Of several the one with the most fds is told.
  SELECT g.process, g.name, d.remote, d.verdict, count(*) OVER (PARTITION BY g.process) AS sockets,
    row_number() OVER (PARTITION BY g.process ORDER BY g.count_4 - g.count_0 DESC, g.name) AS place
  FROM growing_group g
  JOIN (SELECT process, inode, max(remote) AS remote, max(verdict) AS verdict FROM _duplicate GROUP BY process, inode) d
    ON d.process = g.process AND CAST(d.inode AS TEXT) = g.name
  WHERE g.class = 'dup'
)
SELECT
  CASE WHEN g.count_4 * t.few_part > f.fds_last AND (g.count_4 - g.count_0) * 2 > g.count_4 AND x.pressure IS NOT NULL
    THEN 'critical' WHEN (g.count_4 - g.count_0) * 10 < g.count_0 THEN 'info' ELSE 'warning' END AS severity,
  printf('%s only %s, from %d to %d%s', CASE
      WHEN g.class = 'dup' THEN 'fds of one and the same ' || iif(d.remote IS NULL, 'socket', 'connection with '
        || iif(d.remote LIKE '[::ffff:%.%', replace(substr(d.remote, 9), ']', ''), d.remote))
      WHEN g.name = 'directory' THEN 'open directories'
      WHEN g.name = 'never-connected' THEN 'sockets that never were connected'
      WHEN g.name = 'connect-failed' THEN 'sockets whose connect() failed'
      WHEN g.name = 'listening' THEN 'listening TCP sockets'
      WHEN g.name = 'unlisted' THEN 'sockets that no table lists'
      WHEN g.class = 'socket' THEN 'sockets of protocol ' || g.name
      WHEN g.name IN ('pipe', 'inotify', 'fanotify', 'io_uring') THEN g.name || ' fds'
      WHEN g.name LIKE '%y' THEN substr(g.name, 1, length(g.name) - 1) || 'ies'
      ELSE replace(g.name, '-', ' ') || 's' END, iif(p.ended_by IS NULL, 'grow', 'grew'), g.count_0, g.count_4,
    CASE WHEN g.class <> 'dup' OR d.sockets = 1 THEN '' WHEN d.sockets = 2
      THEN printf(', and so %s those of another socket', iif(p.ended_by IS NULL, 'do', 'did'))
      ELSE printf(', and so %s those of %d other sockets', iif(p.ended_by IS NULL, 'do', 'did'), d.sockets - 1) END) AS title,
  p.pid, p.start_ticks,
  printf('Observed: at five times, evenly spread over %s, there were %d, %d, %d, %d and %d. Of those '
    || 'opened in each quarter %d, %d, %d and %d were not closed. Inferred: about %s%s.',
    CASE WHEN f.growth_until IS NULL THEN 'the recording' WHEN f.limit_reached IS NULL
      THEN 'the time until hardly a number below the limit was free' ELSE 'the time until the limit was reached' END, g.count_0, g.count_1, g.count_2, g.count_3, g.count_4, g.kept_1,
    g.kept_2, g.kept_3, g.kept_4, CASE WHEN g.count_4 - g.count_0 >= 3600 * g.hours
      THEN printf('%.1f a second', (g.count_4 - g.count_0) / g.hours / 3600)
      WHEN g.count_4 - g.count_0 >= 60 * g.hours
        THEN printf('%.1f a minute', (g.count_4 - g.count_0) / g.hours / 60)
      ELSE printf('%.1f an hour', (g.count_4 - g.count_0) / g.hours) END,
    CASE WHEN f.growth_until IS NOT NULL THEN ' until then' WHEN p.ended_by IS NOT NULL THEN ' until it ended'
      ELSE ', as long as it goes on like this' END)
    || iif(g.class = 'dup', ' It is one socket: the fds are duplicates of each other.', '')
    || iif(g.name = 'never-connected', ' Not known: which of them were never used, and of which a connect() '
      || 'failed at once (as with ENETUNREACH) or while it blocked: the kernel keeps nothing of that.', '') AS explanation,
  coalesce((SELECT text FROM advice a WHERE a.name = iif(g.class = 'dup', 'dup', g.name)),
    'Look where they are opened and on which path they are not closed.') AS advice,
  iif(g.class IN ('socket', 'dup'), printf('SELECT s.fd, s.inode, s.protocol, s.local, s.remote, s.fd_first_seen AS first_seen '
    || 'FROM fd_class c JOIN sockets s USING (id, process) WHERE c.class = ''%s'' AND c.name = ''%q'' AND process '
    || '= %d AND s.open_at_end ORDER BY s.first_snapshot, s.fd', g.class, g.name, g.process),
  printf('SELECT f.fd, f.target, a.taken_at AS first_seen FROM fd_class c JOIN fd_span f USING (id, process) '
    || 'JOIN snapshot a ON a.id = f.first_snapshot JOIN processes p USING (process) WHERE c.class = ''kind'' '
    || 'AND c.name = ''%q'' AND process = %d AND (f.closed_by IS NULL OR f.closed_by IS p.ended_by) ORDER BY '
    || 'f.first_snapshot, f.fd', g.name, g.process)) AS evidence
FROM growing_group g
JOIN processes p USING (process)
JOIN process_fds f USING (process)
JOIN limit_pressure x USING (process)
JOIN threshold t
LEFT JOIN socket d ON g.class = 'dup' AND d.process = g.process AND d.name = g.name
WHERE g.class IN ('kind', 'socket') OR (g.class = 'dup' AND d.place = 1)
