-- Connections that the process makes itself to one peer, and that only grow in number: a client's pool
-- without a bound, or one client made for each request.
WITH pool AS (
  SELECT *, count(*) OVER (PARTITION BY process) AS peers,
    row_number() OVER (PARTITION BY process ORDER BY count_4 - count_0 DESC, name) AS rank,
    sum(count_4) OVER (PARTITION BY process) AS connections,
    iif(name LIKE '[::ffff:%.%', replace(substr(name, 9), ']', ''), name) AS peer
  FROM growing_group
  WHERE class = 'pool'
), attempt AS (
  -- Those that nobody has answered.
  SELECT g.process, g.peer, g.name, sum(s.last_state = 'SYN_SENT') AS attempts, count(*) AS fds
  FROM pool g
  JOIN fd_class c USING (process, class, name)
  JOIN sockets s USING (id)
  WHERE g.rank = 1 AND s.open_at_end
  GROUP BY g.process
), judged AS (
  SELECT *, attempts * 2 > fds AS is_unanswered FROM attempt
)
SELECT
  CASE WHEN g.connections * 2 > f.fds_last AND x.pressure IS NOT NULL
    THEN 'critical' ELSE 'warning' END AS severity,
  printf('connections to %s only %s, from %d to %d%s%s', g.peer, iif(p.ended_by IS NULL, 'grow', 'grew'), g.count_0, g.count_4,
    CASE WHEN a.is_unanswered IS NOT 1 THEN '' WHEN a.attempts = a.fds THEN ', none of them connected (SYN_SENT)'
      ELSE printf(', %d of them not connected (SYN_SENT)', a.attempts) END,
    CASE g.peers WHEN 1 THEN '' WHEN 2
      THEN printf(', and so %s those to another peer', iif(p.ended_by IS NULL, 'do', 'did'))
      ELSE printf(', and so %s those to %d other peers', iif(p.ended_by IS NULL, 'do', 'did'), g.peers - 1) END) AS title,
  p.pid, p.start_ticks,
  printf('Observed: the process connected to this peer itself. At five times, evenly spread over the '
    || '%s, there were %d, %d, %d, %d and %d connections. Of those made in each quarter %d, %d, %d '
    || 'and %d were not closed. %s',
    CASE WHEN f.growth_until IS NULL THEN 'recording' WHEN f.limit_reached IS NULL
      THEN 'time until hardly a number below the limit was free' ELSE 'time until the limit was reached' END, g.count_0, g.count_1, g.count_2, g.count_3, g.count_4, g.kept_1,
    g.kept_2, g.kept_3, g.kept_4,
    iif(a.is_unanswered, printf('At the end %s SYN_SENT: the peer has not answered. Inferred: the program tries again '
        || 'sooner than attempts come to their end. The kernel gives one up after a minute or two '
        || '(net.ipv4.tcp_syn_retries), and the fd stays open until the program closes it. Not known: whether the peer is '
        || 'there, or something on the way drops what it is sent.',
        iif(a.attempts = a.fds, 'all of them are in', printf('%d of them are in', a.attempts))),
      'Inferred: they are not used again, or the pool has no bound, or '
        || 'has not reached it yet. Not known: which, and whether each of them is wanted.')) AS explanation,
  iif(a.is_unanswered, 'See why ' || a.peer || ' does not answer: the address, what filters packets on the way, the peer itself. '
    || 'In the program give connect() a timeout, close what timed out, and bound how many are tried at once.',
  'Look how the program gets its connections to this peer: one client for all requests, with a bound on '
    || 'its pool, responses read to their end and closed, and a timeout for idle connections. Where there is a bound, see '
    || 'whether the limit has room for it.') AS advice,
  printf('SELECT s.fd, s.inode, s.local, s.remote, s.last_state, s.fd_first_seen FROM growing_group g JOIN '
    || 'fd_class c USING (process, class, name) JOIN sockets s USING (id) WHERE g.class = '
    || '''pool'' AND g.process = %d AND s.open_at_end ORDER BY s.remote, s.first_snapshot, s.fd', g.process)
    AS evidence
FROM pool g
LEFT JOIN judged a USING (process)
JOIN processes p USING (process)
JOIN process_fds f USING (process)
JOIN limit_pressure x USING (process)
WHERE g.rank = 1
