-- The number of fds grew and then stood still below the limit: something filled up. Not where most of what is new
-- is sockets without a live peer, nor where a group of them only grows: those rules tell more.
SELECT
  'info' AS severity,
  iif(g.stopped_at IS NULL, printf('fds grew from %d to about %d and stand still since', h.fds_first, h.middle_fds),
      printf('fds grew from %d to %d until %sZ and stand still since', h.fds_first, h.fds_last,
             substr(g.stopped_at, 1, 19))) || ': saturation, not a growing leak' AS title,
  p.pid, p.start_ticks,
  iif(g.stopped_at IS NULL,
      printf('Observed: all but %d of the %d new fds were there half-way through the %d snapshots. ',
        abs(h.fds_last - h.middle_fds), h.fds_last - h.fds_first, h.snapshots),
      printf('Observed: since then there is less than a tenth of the growth that the pace before would have '
        || 'given, for twice as long as it ever stood still before (%d snapshots in all). ', h.snapshots))
    || 'Inferred: pools, caches or clients filled up to their number. Not known: whether the growth comes back, or '
    || 'a leak hides behind it that is too slow for this recording.' AS explanation,
  'Nothing, as long as it stays there. To be sure, record for longer.' AS advice,
  printf('SELECT snapshot, taken_at, before, fds, change FROM fd_step WHERE process = %d ORDER BY snapshot',
    h.process) AS evidence
FROM growth_shape h
JOIN processes p USING (process)
LEFT JOIN growth g USING (process)
WHERE h.shape = 'plateau' AND NOT EXISTS (SELECT 1 FROM growing_group o WHERE o.process = h.process)
  AND h.fds_last - h.fds_first >= h.fds_first / 2
  AND (SELECT total(v.count) FROM verdict_at_end v WHERE v.process = h.process
       AND v.verdict IN ('outlived', 'peer-closed')) * 2 < h.fds_last - h.fds_first
