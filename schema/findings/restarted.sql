-- A process ended and another of the same name took its place: what that cured.
WITH chain AS (
  SELECT r.*, count(*) OVER w AS times,
    row_number() OVER (PARTITION BY a.comm, a.exe ORDER BY r.snapshot DESC, r.new DESC) AS rank
  FROM restart r
  JOIN processes a ON a.process = r.old
  WINDOW w AS (PARTITION BY a.comm, a.exe)
), pair AS (
  -- Commands that are run again and again are told of once.
  SELECT * FROM chain WHERE times <= 3 OR rank = 1
), kept AS (
  -- Connections of the old one, open or closed by it, that others went on holding after its end.
  SELECT r.old, count(DISTINCT f.socket_inode) AS sockets, count(DISTINCT h.process) AS holders, min(h.process) AS holder
  FROM pair r
  JOIN processes a ON a.process = r.old
  JOIN fd_span f ON f.process = r.old
  JOIN _socket s ON s.id = f.id AND s.verdict NOT IN ('other', 'listening')
  JOIN fd_span h ON h.socket_inode = f.socket_inode AND h.process <> r.old AND h.first_snapshot <= f.last_snapshot
    AND h.last_snapshot >= a.ended_by
  GROUP BY r.old
), counted AS (
  SELECT r.*, o.fds_last AS old_fds, n.fds_first AS new_first, n.fds_last AS new_fds, x.per_hour AS old_rate,
    x.low_per_hour AS old_low, y.per_hour AS new_rate, y.low_per_hour AS new_low, x.rate AS old_words,
    y.rate AS new_words,
    (SELECT total(count) FROM verdict_at_end v WHERE v.process = r.old
       AND v.verdict IN ('outlived', 'peer-closed')) AS old_dead,
    (SELECT total(count) FROM verdict_at_end v WHERE v.process = r.new
       AND v.verdict IN ('outlived', 'peer-closed')) AS new_dead
  FROM pair r
  JOIN process_fds o ON o.process = r.old
  JOIN process_fds n ON n.process = r.new
  LEFT JOIN growth x ON x.process = r.old
  LEFT JOIN growth y ON y.process = r.new
)
SELECT
  'info' AS severity,
  printf('%s ended with %d fd%s and was started again as pid %d with %d', a.name, c.old_fds,
         iif(c.old_fds = 1, '', 's'), b.pid, c.new_first) || iif(c.times > 3, printf(', the last of %d times', c.times), '') AS title,
  a.pid, a.start_ticks,
  printf('Observed: pid %d was last seen at %sZ (snapshot %d) with %d fds, %d of them sockets whose peer or '
    || 'connection was gone; pid %d was first seen at %sZ (snapshot %d) with %d, and in its last snapshot it had %d, '
    || '%d of them such. ', a.pid, substr(last.taken_at, 1, 19), last.id, c.old_fds, c.old_dead, b.pid,
    substr(first.taken_at, 1, 19), first.id, c.new_first, c.new_fds, c.new_dead)
    || CASE
      WHEN c.old_low > 0 AND c.new_low > 0
        THEN printf('Inferred: the restart freed fds and cured nothing: it grew by %s before and by %s after '
          || 'it.', c.old_words, c.new_words)
      WHEN c.old_low > 0 AND c.new_rate <= 0
        THEN 'Inferred: the growth before the restart has not come back so far.'
      ELSE 'Not known: whether the restart cured anything; there is no steady growth before it, or too little '
        || 'was seen after it.' END AS explanation,
  CASE WHEN k.old IS NULL THEN 'All fds of the old process are closed with it.'
    ELSE printf('The fds of the old process are closed with it, but %s %s of its sockets open, which are closed only when '
      || 'each who has them closes them.', iif(k.holders = 1, (SELECT printf('%s (pid %d) keeps', coalesce(y.name, '?'), y.pid)
      FROM processes y WHERE y.process = k.holder), k.holders || ' other processes keep'), k.sockets) END
    || ' Watch whether the new one goes the same way.' AS advice,
  printf('SELECT p.pid, p.start_ticks, p.comm, p.first_snapshot, p.last_snapshot, p.ended_by, f.fds_first, '
    || 'f.fds_last, g.per_hour FROM processes p JOIN process_fds f USING (process) LEFT JOIN growth g USING '
    || '(process) WHERE process IN (%d, %d) ORDER BY p.first_snapshot', c.old, c.new) AS evidence
FROM counted c
JOIN processes a ON a.process = c.old
JOIN processes b ON b.process = c.new
JOIN snapshot last ON last.id = a.last_snapshot
JOIN snapshot first ON first.id = b.first_snapshot
LEFT JOIN kept k ON k.old = c.old
