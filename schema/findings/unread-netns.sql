-- Connections that no table lists and of which the kernel itself tells: their sockets are of a network namespace that
-- was not read, as those that another process made there and passed on.
WITH told AS (
  SELECT t.*, t.state = 'CLOSE_WAIT' AND t.seconds * 1000 > g.value AS stays
  FROM told_socket t
  JOIN setting g ON g.name = 'grace_ms'
  WHERE t.open_at_end AND t.state NOT IN ('LISTEN', 'SYN_SENT')
), counted AS (
  SELECT process, count(*) AS sockets, sum(state = 'CLOSE_WAIT') AS ended, sum(stays) AS stays,
    max(iif(stays, seconds, NULL)) AS longest, min(netns_unread) AS are_told,
    count(DISTINCT iif(netns_unread, netns, NULL)) AS namespaces, min(iif(netns_unread, netns, NULL)) AS netns
  FROM told
  GROUP BY process
), by_state AS (
  SELECT process, group_concat(printf('%d %s', sockets, state), ', ') AS words
  FROM (SELECT process, state, count(*) AS sockets FROM told GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2)
  GROUP BY process
), dead AS (
  SELECT s.process, count(*) AS sockets
  FROM sockets s
  JOIN _of_unread_netns u USING (id)
  WHERE s.open_at_end AND s.verdict = 'outlived'
  GROUP BY s.process
)
SELECT
  CASE WHEN c.stays = 0 THEN 'info' WHEN c.stays * 2 > f.fds_last AND x.pressure IS NOT NULL THEN 'critical'
    ELSE 'warning' END AS severity,
  printf('%d %s that no table lists; the kernel says of %s: %s', c.sockets, iif(c.sockets = 1, 'connection',
    'connections'), iif(c.sockets = 1, 'its socket', 'their sockets'), w.words) AS title,
  p.pid, p.start_ticks,
  iif(c.are_told, printf('Observed: the sockets are of %s, no TCP table of which was read at the end: no '
      || 'recorded process lives there. ', iif(c.namespaces = 1, printf('network namespace %d', c.netns), printf('%d other network namespaces',
      c.namespaces))),
    'Observed: no table that was read lists these sockets, and the kernel says that they are not closed. ')
    || 'The state is what each socket itself said when it was asked.'
    || iif(c.stays > 0, printf(' %d %s so in CLOSE_WAIT for longer than the grace period of %s, the longest for %.0f '
      || 's: the peer %s ended its side, the program %s not closed.', c.stays, iif(p.ended_by IS NULL,
      iif(c.stays = 1, 'is', 'are'), iif(c.stays = 1, 'was', 'were')), (SELECT words FROM _grace), c.longest,
      iif(p.ended_by IS NULL, 'has', 'had'), iif(p.ended_by IS NULL, 'has', 'had')), '')
    || CASE WHEN d.sockets IS NULL THEN '' WHEN d.sockets = 1
      THEN ' Beside these is one of a namespace that was never read whose connection is gone.'
      ELSE printf(' Beside these are %d of a namespace that was never read whose connections are gone.', d.sockets) END
    || iif(c.are_told, ' Inferred: they were passed on from there, or the process changed its namespace.',
      ' Inferred: they are of a network namespace that was not read, or were made while the tables were.')
    || ' Not known: what of them is unread or waits to be sent, which only a table tells.' AS explanation,
  'Record a process of that namespace too (lsns -t net names them), or all: its tables are read then.'
    || iif(c.ended > 0, ' Connections in CLOSE_WAIT stay until this program closes them.', '') AS advice,
  printf('SELECT fd, inode, netns, local, remote, state, since, seconds FROM told_socket WHERE open_at_end AND '
    || 'process = %d AND state NOT IN (''LISTEN'', ''SYN_SENT'') ORDER BY state, fd', c.process) AS evidence
FROM counted c
JOIN by_state w USING (process)
JOIN processes p USING (process)
JOIN process_fds f USING (process)
JOIN limit_pressure x USING (process)
LEFT JOIN dead d USING (process)
