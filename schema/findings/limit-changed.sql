-- The soft limit of open files was changed while the process ran (prlimit, or the program itself).
WITH change AS (
  SELECT l.process, l.first_snapshot AS snapshot, l.soft,
    lag(l.soft) OVER w AS before, lag(l.process) OVER w IS NOT NULL AS has_before
  FROM limit_span l
  WHERE l.resource = 'Max open files'
  WINDOW w AS (PARTITION BY l.process ORDER BY l.first_snapshot)
), last AS (
  SELECT *, count(*) OVER (PARTITION BY process) AS changes,
    row_number() OVER (PARTITION BY process ORDER BY snapshot DESC) AS rank
  FROM change
  WHERE has_before AND soft IS NOT before
), noted AS (
  SELECT l.*, (SELECT c.fds FROM fd_count c WHERE c.process = l.process AND c.snapshot <= l.snapshot
               ORDER BY c.snapshot DESC LIMIT 1) AS fds
  FROM last l
  WHERE rank = 1
)
SELECT
  iif(c.soft <= c.fds, 'warning', 'info') AS severity,
  printf('the soft limit of open files was changed from %s to %s at %sZ%s',
    coalesce(c.before, 'unlimited'), coalesce(c.soft, 'unlimited'), substr(s.taken_at, 1, 19),
    iif(c.changes > 1, printf(', the last of %d changes', c.changes), '')) AS title,
  p.pid, p.start_ticks,
  printf('Observed: first seen so in snapshot %d. ', c.snapshot)
    || iif(c.soft <= c.fds, printf('The process had %d fds then: it keeps them, and a new one needs a number below '
      || 'the limit that is free. ',
                                   c.fds), '')
    || 'A limit is changed by the program itself (setrlimit) or from outside (prlimit); a setting of the '
    || 'service comes with its next start only. '
    || iif(g.since IS NULL, 'No forecast is made over the change.',
           'The rate and the forecast are those of the snapshots since then.') AS explanation,
  'Find out who changed it, and put the limit that is meant into LimitNOFILE= of the service: one that '
    || 'prlimit set is gone with the next restart.' AS advice,
  printf('SELECT l.soft, l.hard, a.taken_at AS first_seen, b.taken_at AS last_seen FROM limit_span l JOIN '
    || 'snapshot a ON a.id = l.first_snapshot JOIN snapshot b ON b.id = l.last_snapshot WHERE l.resource = '
    || '''Max open files'' AND l.process = %d ORDER BY a.id', c.process) AS evidence
FROM noted c
JOIN processes p USING (process)
LEFT JOIN growth g USING (process)
JOIN snapshot s ON s.id = c.snapshot
