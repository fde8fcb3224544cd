-- The number of fds grows in steps: so many with each event, and nothing in between.
WITH step AS (
  SELECT h.process, s.snapshot, s.taken_at, s.change,
    row_number() OVER (PARTITION BY h.process ORDER BY s.change) AS place,
    count(*) OVER (PARTITION BY h.process) AS total
  FROM growth_shape h
  JOIN fd_step s ON s.process = h.process AND s.change > 0 AND s.snapshot <= h.until
  WHERE h.shape = 'steps'
), counted AS (
  SELECT process, count(*) AS steps, min(change) AS least, max(change) AS most,
    max(iif(place = (total + 1) / 2, change, NULL)) AS middle, min(taken_at) AS first_at,
    max(taken_at) AS last_at
  FROM step
  GROUP BY process
)
SELECT
  iif(x.pressure IN ('full', 'soon', 'reached'), 'critical', 'warning') AS severity,
  printf(iif(p.ended_by IS NULL, 'fds grow in %d steps of about %d and do not fall again',
    'fds grew in %d steps of about %d and did not fall again'), c.steps, c.middle) AS title,
  p.pid, p.start_ticks,
  printf('Observed: from %d to %d fds in %d snapshots; in %d of them it had %d to %d more than before, from '
    || '%sZ to %sZ, and stood nearly still in all others. Inferred: something that happens now and then '
    || 'leaves so many fds each time. Not known: what happened; compare the times with the log.',
    h.fds_first, h.fds_last, h.snapshots, c.steps, c.least, c.most, substr(c.first_at, 1, 19),
    substr(c.last_at, 1, 19)) AS explanation,
  'Look what the program does at these times (reloads, jobs, reconnects), and which fds are new then '
    || '(fdanalyze diff).' AS advice,
  printf('SELECT snapshot, taken_at, before, fds, change FROM fd_step WHERE process = %d AND change > 0 '
    || 'ORDER BY snapshot', c.process) AS evidence
FROM counted c
JOIN growth_shape h USING (process)
JOIN processes p USING (process)
JOIN limit_pressure x USING (process)
