-- Connections that are ESTABLISHED for the kernel alone: their peers have not answered for a while, and it goes on trying.
WITH counted AS (
  SELECT process, count(*) AS fds, count(DISTINCT inode) AS sockets, max(seconds) AS longest, min(since) AS since,
    count(DISTINCT iif(retransmits > 0, inode, NULL)) AS sent, min(iif(retransmits > 0, unacknowledged, NULL)) AS least_bytes,
    max(iif(retransmits > 0, unacknowledged, NULL)) AS most_bytes, min(iif(retransmits > 0, retransmits, NULL)) AS least_sent,
    max(retransmits) AS most_sent, count(DISTINCT iif(retransmits = 0, inode, NULL)) AS probed,
    min(iif(retransmits = 0, probes, NULL)) AS least_probes, max(iif(retransmits = 0, probes, NULL)) AS most_probes
  FROM unanswered
  WHERE stays
  GROUP BY process
), established AS (
  SELECT process, sum(count) AS fds
  FROM peer_group
  WHERE verdict = 'connected' AND last_state = 'ESTABLISHED'
  GROUP BY process
)
SELECT
  CASE WHEN c.sockets < t.few_fds AND (c.sockets < t.few_more OR c.fds * 2 <= e.fds) THEN 'info'
    WHEN c.fds * 2 > f.fds_last AND x.pressure IS NOT NULL THEN 'critical' ELSE 'warning' END AS severity,
  printf('%s %s not answered for longer than %s', iif(c.sockets = 1, 'the peer of 1 ESTABLISHED connection',
    printf('the peers of %d ESTABLISHED connections', c.sockets)), CASE WHEN p.ended_by IS NOT NULL THEN 'had'
    WHEN c.sockets = 1 THEN 'has' ELSE 'have' END, g.words) AS title,
  p.pid, p.start_ticks,
  printf('Observed: at the end %s; it was so in each snapshot since %s, the longest for %.0f s. ',
    iif(c.sent = 0, '', printf('%s %s that %s not acknowledged and that were sent again %s',
      iif(c.sent = 1, '1 connection has', printf('%d connections have each', c.sent)),
      iif(c.least_bytes = c.most_bytes, printf(iif(c.most_bytes = 1, '%d byte', '%d bytes'), c.most_bytes),
        printf('%d to %d bytes', c.least_bytes, c.most_bytes)), iif(c.sent = 1, 'its peer has', 'their peers have'),
      CASE WHEN c.least_sent < c.most_sent THEN printf('%d to %d times', c.least_sent, c.most_sent)
        WHEN c.most_sent = 1 THEN 'once' ELSE printf('%d times', c.most_sent) END))
    || iif(c.sent > 0 AND c.probed > 0, ', and ', '')
    || iif(c.probed = 0, '', printf('the peer%s of %s not answered %s', iif(c.probed = 1, '', 's'),
      iif(c.probed = 1, '1 connection has', printf('%d connections have', c.probed)),
      CASE WHEN c.least_probes < c.most_probes THEN printf('%d to %d probes', c.least_probes, c.most_probes)
        WHEN c.most_probes = 1 THEN '1 probe' ELSE printf('%d probes', c.most_probes) END)),
    substr(c.since, 1, 19) || 'Z', c.longest)
    || printf('Inferred: %s gone, or the way to %s is broken. The kernel goes on trying: data for about 15 minutes '
      || '(net.ipv4.tcp_retries2), keepalive until all its probes are unanswered. Then the socket is dead, and its fd '
      || 'stays open until the program closes it. Not known: whether %s back before that, and whether the program knows.',
      iif(c.sockets = 1, 'the peer is', 'the peers are'), iif(c.sockets = 1, 'it', 'them'),
      iif(c.sockets = 1, 'it comes', 'they come')) AS explanation,
  'See whether the peers are there and can be reached (ss -tnoi tells what the kernel tries). In the program bound the time: '
    || 'TCP_USER_TIMEOUT for data that nobody acknowledges, SO_KEEPALIVE with short times, or a heartbeat of its own; and '
    || 'close the fd when a call on it fails.' AS advice,
  printf('SELECT fd, inode, local, remote, unacknowledged, retransmits, probes, since, seconds FROM unanswered WHERE stays '
    || 'AND process = %d ORDER BY fd', c.process) AS evidence
FROM counted c
JOIN threshold t
JOIN _grace g
JOIN processes p USING (process)
JOIN process_fds f USING (process)
JOIN limit_pressure x USING (process)
LEFT JOIN established e USING (process)
