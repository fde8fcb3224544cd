-- Sockets without a live peer that a process was seen with and has closed, and that processes which come from it by
-- fork keep open: it is one mistake, in the process that they come from, and not one in each.
WITH counted AS (
  SELECT i.origin, count(*) AS fds, count(DISTINCT i.inode) AS sockets, count(DISTINCT i.process) AS holders,
    sum(i.is_listed) AS listed,
    sum(i.verdict = 'outlived') AS outlived,
    max(l.pressure IS NOT NULL) AS is_near_limit
  FROM inherited_socket i
  JOIN limit_pressure l ON l.process = i.process
  WHERE NOT i.origin_holds
  GROUP BY i.origin
)
SELECT
  iif(c.is_near_limit, 'critical', 'warning') AS severity,
  printf('%s that %s from it by fork %s %s open', iif(c.holders = 1, 'a process', c.holders || ' processes'),
    iif(c.holders = 1, 'comes', 'come'), iif(c.holders = 1, 'keeps', 'keep'),
    iif(c.sockets = 1, '1 socket without a live peer', c.sockets || ' sockets without a live peer')) AS title,
  p.pid, p.start_ticks,
  printf('Observed: they have %s of %s, which this process has not; %s. The holders: %s. ',
    iif(c.fds = 1, 'the only fd', c.fds || ' fds'), iif(c.sockets = 1, 'that socket', 'those sockets'),
    CASE c.outlived WHEN 0 THEN iif(c.sockets = 1, 'its peer has ended its side (CLOSE_WAIT)',
        'their peers have ended their side (CLOSE_WAIT)')
      WHEN c.fds THEN iif(c.sockets = 1, 'its connection is gone', 'their connections are gone')
      ELSE printf('of %d the connection is gone, of the others the peer has ended its side', c.outlived) END,
    (SELECT group_concat(printf('%s (%s %d)', n.name, iif(n.count = 1, 'pid', n.count || ' times, the oldest pid'),
                                y.pid), ', ')
     FROM (SELECT coalesce(x.name, '?') AS name, count(*) AS count, min(x.process) AS oldest
           FROM processes x
           WHERE x.process IN (SELECT i.process FROM inherited_socket i WHERE i.origin = c.origin AND NOT i.origin_holds)
           GROUP BY x.name ORDER BY count DESC, oldest LIMIT 5) n
     JOIN processes y ON y.process = n.oldest))
    || printf('%s listed among the fds of this process itself at an earlier or the same time. ',
      CASE c.listed WHEN c.fds THEN iif(c.fds = 1, 'It was', 'All were') WHEN 1 THEN '1 was'
        ELSE c.listed || ' were' END)
    || CASE c.fds - c.listed WHEN 0 THEN '' WHEN 1 THEN '1 was there when its holder was first looked at, which had just '
      || 'begun. ' ELSE printf('%d were there when their holders were first looked at, which had just begun. ',
      c.fds - c.listed) END
    || 'Inferred: they were inherited through fork. The connection of such a socket does not end for the peer when this '
    || 'process closes it, and its fd stays as long as the holder lives. Not known: whether a holder is meant to serve them.'
    AS explanation,
  'Open its sockets with SOCK_CLOEXEC (accept4), so that programs which it executes do not get them. A child after fork has '
    || 'to close what it does not serve, and what it serves once the connection has ended.' AS advice,
  printf('SELECT pid, comm, fd, inode, verdict, local, remote, is_listed FROM inherited_socket WHERE NOT origin_holds '
    || 'AND origin = %d ORDER BY inode, pid, fd', c.origin) AS evidence
FROM counted c
JOIN processes p ON p.process = c.origin
