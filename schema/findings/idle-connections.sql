-- ESTABLISHED connections at a listening port that only grow, with empty queues whenever they were seen and without a
-- keepalive timer: peers that went away without a word are never found out. That they are idle no snapshot tells.
SELECT
  CASE WHEN g.count_4 * 2 > f.fds_last AND x.pressure IS NOT NULL
    THEN 'critical' ELSE 'warning' END AS severity,
  printf('connections without keepalive at %s only %s, from %d to %d', g.name,
    iif(p.ended_by IS NULL, 'grow', 'grew'), g.count_0, g.count_4)
    AS title,
  p.pid, p.start_ticks,
  printf('Observed: %d connections are ESTABLISHED, and in no snapshot any of them had data in its queues or '
    || 'a timer running, so keepalive is off; the oldest was seen so for %.0f s. At five times, evenly spread, there were %d, %d, %d, %d and '
    || '%d. Inferred: where such a peer is gone without a FIN or reset (a lost host, a NAT or firewall that '
    || 'forgot it), its connection stays for ever. Not known: whether they are idle, for what moved between '
    || 'two snapshots left no trace, and whether the peers are still there.', g.count_4,
    (SELECT max(z.boottime_ns - a.boottime_ns) / 1e9 FROM fd_class c JOIN _socket k USING (id)
      JOIN snapshot a ON a.id = k.connection_first JOIN snapshot z ON z.id = k.connection_last
      WHERE c.class = 'idle' AND c.name = g.name AND c.process = g.process AND k.open_at_end), g.count_0, g.count_1, g.count_2, g.count_3, g.count_4)
    AS explanation,
  'Set SO_KEEPALIVE, or TCP_USER_TIMEOUT and an idle timeout in the program; ask the peers (ss on their '
    || 'side) whether they still have these connections.' AS advice,
  printf('SELECT s.fd, s.inode, s.local, s.remote, s.last_state, s.connection_first_seen FROM fd_class c '
    || 'JOIN sockets s USING (id) WHERE c.class = ''idle'' AND c.name = ''%q'' AND c.process = %d AND '
    || 's.open_at_end ORDER BY s.first_snapshot, s.fd', g.name, g.process) AS evidence
FROM growing_group g
JOIN processes p USING (process)
JOIN process_fds f USING (process)
JOIN limit_pressure x USING (process)
WHERE g.class = 'idle'
