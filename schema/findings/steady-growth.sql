-- The number of fds grows through the whole recording: when the limit will be reached.
SELECT
  iif(g.hours_left <= 30 * 24, 'warning', 'info') AS severity,
  printf('fds grow steadily, %s%s', g.rate, CASE WHEN g.exhaustion_from IS NULL THEN ''
    ELSE printf('; if it goes on, the limit of %d is reached %s', f.soft_limit,
      iif(substr(g.exhaustion_from, 1, 19) = substr(g.exhaustion_to, 1, 19),
          printf('about %sZ', substr(g.exhaustion_at, 1, 19)),
          printf('between %sZ and %sZ', substr(g.exhaustion_from, 1, 19),
                 substr(g.exhaustion_to, 1, 19)))) END) AS title,
  p.pid, p.start_ticks,
  printf('Observed: from %d to %d fds in %d snapshots, and more in %d of them than in the one before. '
    || 'Inferred: the rate is the middle 90 %% of the slopes between snapshots at least a third of the time '
    || 'apart%s', h.fds_first, h.fds_last, h.snapshots, h.steps,
    iif(g.exhaustion_from IS NULL, printf('. Not known: when the limit is reached (%s).', g.forecast_reason),
        '; the forecast carries it on from the last snapshot, rounded outwards, and knows nothing of what may '
        || 'change.'))
    AS explanation,
  'See in the kinds and verdicts below which fds they are. A rate that load explains follows the load down '
    || 'again; a leak does not.' AS advice,
  printf('SELECT points, per_hour, low_per_hour, high_per_hour, exhaustion_from, exhaustion_at, '
    || 'exhaustion_to FROM growth WHERE process = %d', g.process) AS evidence
FROM growth_shape h
JOIN growth g USING (process)
JOIN processes p USING (process)
JOIN process_fds f USING (process)
WHERE h.shape = 'steady' AND f.growth_until IS NULL AND p.ended_by IS NULL
