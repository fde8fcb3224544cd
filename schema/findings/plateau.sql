-- The number of fds grew and then stood still below the limit: something filled up, nothing leaks.
SELECT
  'info' AS severity,
  printf('fds grew from %d to about %d and stand still since: saturation, not a leak', h.fds_first,
         h.middle_fds) AS title,
  p.pid, p.start_ticks,
  printf('Observed: all but %d of the %d new fds were there half-way through the %d snapshots. Inferred: '
    || 'pools, caches or clients filled up to their number. Not known: whether a leak hides behind it that '
    || 'is too slow for this recording.', abs(h.fds_last - h.middle_fds), h.fds_last - h.fds_first,
    h.snapshots) AS explanation,
  'Nothing, as long as it stays there. To be sure, record for longer.' AS advice,
  printf('SELECT snapshot, taken_at, before, fds, change FROM fd_step WHERE process = %d ORDER BY snapshot',
    h.process) AS evidence
FROM growth_shape h
JOIN processes p USING (process)
WHERE h.shape = 'plateau' AND h.fds_last - h.fds_first >= h.fds_first / 2
