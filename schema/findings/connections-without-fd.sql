-- Connections at a port on which a process listens that belong to a socket which no recorded fd holds: they only grow, or
-- are more than a few and stay. Who leaks them is not seen by its fds.
WITH port AS (
  -- Of several processes with the same port the oldest speaks for it.
  SELECT s.netns, n.id AS netns_id, s.local_port, s.process, f.first_snapshot AS mark_0, f.last_snapshot AS mark_4,
    row_number() OVER (PARTITION BY s.netns, s.local_port ORDER BY s.start_ticks, s.pid, s.process) AS place
  FROM sockets s
  JOIN netns n ON n.inode = s.netns
  JOIN process_fds f USING (process)
  WHERE s.open_at_end AND s.last_state = 'LISTEN' AND s.verdict IN ('listening', 'unlisted')
), listed AS (
  SELECT p.process, p.netns, p.local_port, i.inode, p.mark_0, p.mark_4, min(i.first_snapshot) AS first, max(i.last_snapshot) AS last
  FROM port p
  JOIN inet_span i ON i.netns = p.netns_id AND i.local_port = p.local_port AND i.net_table IN (1, 2)
  WHERE p.place = 1 AND i.inode <> 0 AND i.state NOT IN (2, 3, 10)
  GROUP BY p.process, p.netns, p.local_port, i.inode, i.remote
), held AS (
  SELECT *, (SELECT max(f.last_snapshot) FROM fd_span f WHERE f.socket_inode = l.inode AND f.first_snapshot <= l.last
    AND f.last_snapshot >= l.first) AS last_held
  FROM listed l
), connection AS (
  -- Of those that an fd held once only what is left at the end: the kernel takes a moment to let go of what is closed.
  SELECT process, netns, local_port, inode, mark_0, mark_4, coalesce(last_held + 1, first) AS first, last
  FROM held
  WHERE last_held IS NULL OR (last_held < last AND last >= mark_4)
), marked AS (
  SELECT *, mark_0 + (mark_4 - mark_0) / 4 AS mark_1, mark_0 + (mark_4 - mark_0) / 2 AS mark_2,
    mark_0 + (mark_4 - mark_0) * 3 / 4 AS mark_3 FROM connection
), counted AS (
  SELECT m.process, m.netns, m.local_port, sum(m.last >= mark_4) AS count, sum(m.first <= mark_0 AND m.last >= mark_0) AS count_0,
    sum(m.first <= mark_1 AND m.last >= mark_1) AS count_1, sum(m.first <= mark_2 AND m.last >= mark_2) AS count_2,
    sum(m.first <= mark_3 AND m.last >= mark_3) AS count_3,
    sum(m.first > mark_0 AND m.first <= mark_1 AND m.last >= mark_4) AS kept_1,
    sum(m.first > mark_1 AND m.first <= mark_2 AND m.last >= mark_4) AS kept_2,
    sum(m.first > mark_2 AND m.first <= mark_3 AND m.last >= mark_4) AS kept_3,
    sum(m.first > mark_3 AND m.last >= mark_4) AS kept_4,
    sum(m.last >= mark_4 AND z.boottime_ns - a.boottime_ns > 1000000 * g.value) AS staying, mark_4 - mark_0 >= 7 AS is_long
  FROM marked m
  JOIN setting g ON g.name = 'grace_ms'
  JOIN snapshot a ON a.id = m.first
  JOIN snapshot z ON z.id = m.mark_4
  GROUP BY m.process, m.netns, m.local_port
), judged AS (
  SELECT c.*, is_long AND count_0 < count_1 AND count_1 < count_2 AND count_2 < count_3 AND count_3 < count
    AND count - count_0 >= t.few_fds AND min(kept_1, kept_2, kept_3, kept_4) > 0 AS only_grows
  FROM counted c
  JOIN threshold t
)
SELECT
  iif(j.only_grows, 'warning', 'info') AS severity,
  iif(j.only_grows, printf('connections at port %d that no recorded fd holds only %s, from %d to %d', j.local_port,
      iif(p.ended_by IS NULL, 'grow', 'grew'), j.count_0, j.count),
    printf('%d connections at port %d %s longer than %s, and no recorded fd %s them', j.staying, j.local_port,
      iif(p.ended_by IS NULL, 'stay for', 'stayed for'), w.words, iif(p.ended_by IS NULL, 'holds', 'held'))) AS title,
  p.pid, p.start_ticks,
  printf('Observed: the process listens at this port; at the end the TCP table lists %d connections there whose sockets exist '
    || 'and are behind no fd that was recorded, %d of them for longer than the grace period of %s. %sInferred: something '
    || 'else holds them: a process that is not recorded, as a child that serves them or that they were passed on to; a '
    || 'descriptor in flight over a UNIX socket (SCM_RIGHTS) that nobody has received; or files registered with io_uring. Not '
    || 'known: which, and whether the peers are still there.', j.count, j.staying, w.words, iif(NOT j.only_grows, '',
    printf('At five times, evenly spread over the recording, there were %d, %d, %d, %d and %d. ', j.count_0, j.count_1,
      j.count_2, j.count_3, j.count))) AS explanation,
  'Record with --all, or the children too, so that the process that holds them is seen; ss -tnp tells it now. If none does, '
    || 'look where the program passes descriptors on, or registers them with io_uring, and closes only its own fd.' AS advice,
  printf('SELECT i.inode, i.local, i.remote, t.name AS state, a.taken_at AS first_seen FROM inet_span i JOIN netns n ON n.id = '
    || 'i.netns JOIN tcp_state t USING (state) JOIN snapshot a ON a.id = i.first_snapshot JOIN processes p ON p.process = %d '
    || 'JOIN process_fds l ON l.process = p.process WHERE n.inode = %d AND i.local_port = %d AND i.net_table IN (1, 2) AND '
    || 'i.inode <> 0 AND i.state NOT IN (2, 3, 10) AND i.last_snapshot >= l.last_snapshot AND NOT EXISTS (SELECT 1 FROM '
    || 'fd_span f WHERE f.socket_inode = i.inode AND f.first_snapshot <= i.last_snapshot AND f.last_snapshot >= '
    || 'i.last_snapshot) ORDER BY a.id, i.inode', j.process, j.netns, j.local_port) AS evidence
FROM judged j
JOIN threshold t
JOIN _grace w
JOIN processes p USING (process)
WHERE j.only_grows OR j.staying >= t.few_fds
