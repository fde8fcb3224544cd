-- All connections are in tcp6: who looks for them in /proc/net/tcp finds nothing and suspects a leak.
WITH only AS (
  SELECT l.process, l.tcp6, l.alive, p.pid, p.start_ticks
  FROM listed_in l
  JOIN processes p USING (process)
  WHERE l.tcp = 0 AND l.tcp6 > 0
), counted AS (
  SELECT count(*) AS processes, sum(alive) AS alive, sum(tcp6) AS tcp6, min(pid) AS pid,
    min(start_ticks) AS start_ticks, group_concat(process, ', ') AS ids
  FROM (SELECT * FROM only ORDER BY process)
)
SELECT
  'info' AS severity,
  iif(alive > 0,
      printf('%d %s listed in tcp6 and none in tcp', alive, iif(alive = 1, 'connection is',
        'connections are')),
      'while they lived, its connections were listed in tcp6 and none in tcp')
    || iif(processes > 1, printf(' (of %d processes)', processes), '')
    || ': a grep of /proc/net/tcp finds nothing' AS title,
  iif(processes = 1, pid, NULL) AS pid, iif(processes = 1, start_ticks, NULL) AS start_ticks,
  'Observed: the kernel lists the connections of an IPv6 socket in /proc/PID/net/tcp6 and never in tcp; those '
    || 'of a dual-stack listener ([::]) too, with IPv4 peers as ::ffff:a.b.c.d. That an inode is missing in '
    || '/proc/net/tcp does not make it a dead connection.' AS explanation,
  'Look in both tables, or use ss -tnp.' AS advice,
  printf('SELECT pid, fd, inode, local, remote, last_state, verdict FROM sockets WHERE net_table = 2 AND '
    || '%s AND open_at_end AND process IN (%s) ORDER BY pid, fd', iif(alive > 0, 'verdict IN (''connected'', '
    || '''peer-closed'', ''closing'')', 'verdict = ''outlived'''), ids) AS evidence
FROM counted
WHERE processes > 0
