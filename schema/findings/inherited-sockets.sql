-- Sockets without a live peer that a process was seen with and has closed, and that processes which come from it by
-- fork keep open: it is one mistake, in the process that they come from, and not one in each. Those that have ended
-- count where none is left.
WITH held AS (
  SELECT i.*, y.ended_by IS NOT NULL AS has_ended, min(y.ended_by IS NOT NULL) OVER (PARTITION BY i.origin) AS have_all_ended
  FROM inherited_socket i
  JOIN processes y USING (process)
  WHERE NOT i.origin_holds
), counted AS (
  SELECT i.origin, count(*) AS fds, count(DISTINCT i.inode) AS sockets, count(DISTINCT i.process) AS holders,
    min(i.process) AS holder,
    sum(i.is_listed) AS listed,
    sum(i.verdict = 'outlived') AS outlived,
    max(l.pressure IS NOT NULL) AS is_near_limit, max(i.have_all_ended) AS are_past,
    (SELECT count(DISTINCT e.process) FROM held e WHERE e.origin = i.origin AND e.has_ended) AS ended
  FROM held i
  JOIN limit_pressure l ON l.process = i.process
  WHERE i.has_ended = i.have_all_ended
  GROUP BY i.origin
)
SELECT
  CASE WHEN c.are_past THEN 'info' WHEN c.is_near_limit THEN 'critical' ELSE 'warning' END AS severity,
  printf('%s %s from it by fork%s %s %s open%s', iif(c.holders = 1,
      (SELECT printf('%s (pid %d), which', coalesce(y.name, '?'), y.pid) FROM processes y WHERE y.process = c.holder),
      c.holders || ' processes that'),
    CASE WHEN c.are_past THEN 'came' WHEN c.holders = 1 THEN 'comes' ELSE 'come' END, iif(c.holders = 1, ',', ''),
    CASE WHEN c.are_past THEN 'kept' WHEN c.holders = 1 THEN 'keeps' ELSE 'keep' END,
    iif(c.sockets = 1, '1 socket without a live peer', c.sockets || ' sockets without a live peer'),
    CASE WHEN NOT c.are_past THEN '' WHEN c.holders = 1 THEN ' until it ended' ELSE ' until they ended' END) AS title,
  p.pid, p.start_ticks,
  printf('Observed: they %s %s of %s, which this process %s not; %s. The holders: %s. ', iif(c.are_past, 'had', 'have'),
    iif(c.fds = 1, 'the only fd', c.fds || ' fds'), iif(c.sockets = 1, 'that socket', 'those sockets'),
    iif(c.are_past, 'had', 'has'), CASE c.outlived WHEN 0 THEN iif(c.sockets = 1, 'its peer has ended its side (CLOSE_WAIT)',
        'their peers have ended their side (CLOSE_WAIT)')
      WHEN c.fds THEN iif(c.sockets = 1, 'its connection is gone', 'their connections are gone')
      ELSE printf('of %d the connection is gone, of the others the peer has ended its side', c.outlived) END,
    (SELECT group_concat(printf('%s (%s %d)', n.name, iif(n.count = 1, 'pid', n.count || ' times, the oldest pid'),
                                y.pid), ', ')
     FROM (SELECT coalesce(x.name, '?') AS name, count(*) AS count, min(x.process) AS oldest
           FROM processes x
           WHERE x.process IN (SELECT i.process FROM held i WHERE i.origin = c.origin AND i.has_ended = c.are_past)
           GROUP BY x.name ORDER BY count DESC, oldest LIMIT 5) n
     JOIN processes y ON y.process = n.oldest))
    || iif(c.are_past OR c.ended = 0, '', printf('%d more had such sockets until %s ended. ', c.ended,
      iif(c.ended = 1, 'it', 'they')))
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
