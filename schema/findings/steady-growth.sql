-- The number of fds grows through the whole recording, or through one too short to tell its shape and towards
-- a limit of which half is used: when the limit will be reached.
SELECT
  CASE WHEN x.pressure IN ('full', 'soon', 'reached') THEN 'critical' WHEN g.hours_left <= 30 * 24 THEN 'warning'
    ELSE 'info' END AS severity,
  printf('fds grow steadily, %s%s', g.rate, CASE WHEN g.exhaustion_from IS NULL THEN ''
    ELSE printf('; if it goes on, the limit of %d is reached %s', f.soft_limit,
      iif(substr(g.exhaustion_from, 1, 19) = substr(g.exhaustion_to, 1, 19),
          printf('about %sZ', substr(g.exhaustion_at, 1, 19)),
          printf('between %sZ and %sZ', substr(g.exhaustion_from, 1, 19),
                 substr(g.exhaustion_to, 1, 19)))) END) AS title,
  p.pid, p.start_ticks,
  printf('Observed: from %d to %d fds in %d snapshots, and more in %d of them than in the one before. '
    || 'Inferred: the rate is the middle 90 %% of the slopes between snapshots at least a third of the time '
    || 'apart, and that of the last third%s%s', f.fds_first, f.fds_last, coalesce(h.snapshots, g.points),
    (SELECT count(*) FROM fd_step s WHERE s.process = f.process AND s.change > 0),
    coalesce((SELECT printf('; since the limit was changed at %sZ', substr(s.taken_at, 1, 19)) FROM snapshot s
              WHERE s.id = g.since), ''),
    iif(g.exhaustion_from IS NULL, printf('. Not known: when the limit is reached (%s).', g.forecast_reason),
        '; the forecast carries it on from the last snapshot, rounded outwards, and knows nothing of what may '
        || 'change.'))
    AS explanation,
  'See in the kinds and verdicts below which fds they are. A rate that load explains follows the load down '
    || 'again; a leak does not.' AS advice,
  printf('SELECT points, per_hour, low_per_hour, high_per_hour, exhaustion_from, exhaustion_at, '
    || 'exhaustion_to FROM growth WHERE process = %d', g.process) AS evidence
FROM growth g
JOIN processes p USING (process)
JOIN process_fds f USING (process)
JOIN limit_pressure x USING (process)
LEFT JOIN growth_shape h USING (process)
WHERE (h.shape = 'steady' OR (h.process IS NULL AND g.low_per_hour > 0
    AND g.hours_left <= (SELECT soon_hours FROM threshold)
    AND f.limit_used * 2 >= f.soft_limit))
  AND f.growth_until IS NULL AND p.ended_by IS NULL
