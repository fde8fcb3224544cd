-- All connections are in tcp6: who looks for them in /proc/net/tcp finds nothing and suspects a leak.
SELECT
  'info' AS severity,
  printf('%s listed in tcp6 and none in tcp: a grep of /proc/net/tcp finds nothing',
         iif(l.alive > 0, printf('%d %s', l.alive, iif(l.alive = 1, 'connection is', 'connections are')),
             'while they lived, its connections were')) AS title,
  p.pid, p.start_ticks,
  'The kernel lists the connections of an IPv6 socket in /proc/PID/net/tcp6 and never in tcp; those of a '
    || 'dual-stack listener ([::]) too, with IPv4 peers as ::ffff:a.b.c.d. That an inode is missing in '
    || '/proc/net/tcp does not make it a dead connection.' AS explanation,
  'Look in both tables, or use ss -tnp.' AS advice,
  printf('SELECT fd, inode, local, remote, last_state, verdict FROM sockets WHERE net_table = 2 AND '
    || '%s AND open_at_end AND pid = %d AND start_ticks = %d ORDER BY fd',
    iif(l.alive > 0, 'verdict IN (''connected'', ''peer-closed'', ''closing'')', 'verdict = ''outlived'' '),
    p.pid, p.start_ticks)
    AS evidence
FROM listed_in l
JOIN processes p USING (process)
WHERE l.tcp = 0 AND l.tcp6 > 0
