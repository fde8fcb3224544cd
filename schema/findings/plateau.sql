-- The number of fds grew and then stood still below the limit: something filled up. Not where most of what is new
-- is sockets without a live peer, nor where a group of them only grows: those rules tell more. Of inotify and fanotify
-- the kernel allows each user a number of his own, which looks the same when it is reached.
WITH watcher AS (
  SELECT f.process, f.kind, count(*) AS fds, sum(f.first_snapshot > b.first_snapshot) AS new
  FROM fd_span f
  JOIN processes p USING (process)
  JOIN process_fds b USING (process)
  WHERE f.kind IN ('inotify', 'fanotify') AND (f.closed_by IS NULL OR f.closed_by IS p.ended_by)
  GROUP BY f.process, f.kind
), silent AS (
  SELECT i.process, sum(i.fds) AS new
  FROM idle_at_end i
  JOIN process_fds b USING (process)
  WHERE i.first_snapshot > b.first_snapshot
  GROUP BY i.process
), allowed (kind, sysctl, instances, call) AS (VALUES
  ('inotify', 'fs.inotify.max_user_instances', 'inotify instances', 'inotify_init()'),
  ('fanotify', 'fs.fanotify.max_user_groups', 'fanotify groups', 'fanotify_init()'))
SELECT
  iif(w.kind IS NULL, 'info', 'warning') AS severity,
  iif(g.stopped_at IS NULL, printf('fds grew from %d to about %d and %s still since', h.fds_first, h.middle_fds, t.stand),
      printf('fds grew from %d to %d until %sZ and %s still since', h.fds_first, h.fds_last,
             substr(g.stopped_at, 1, 19), t.stand))
    || iif(w.kind IS NULL, ': saturation, not a growing leak',
      printf(': %d %s %s, of which the kernel allows each user a number of its own', w.fds, w.kind,
        iif(p.ended_by IS NULL, 'fds are open', 'fds were open'))) AS title,
  p.pid, p.start_ticks,
  iif(g.stopped_at IS NULL,
      printf('Observed: all but %d of the %d new fds were there half-way through the %d snapshots. ',
        abs(h.fds_last - h.middle_fds), h.fds_last - h.fds_first, h.snapshots),
      printf('Observed: since then there is less than a tenth of the growth that the pace before would have '
        || 'given, for twice as long as it ever stood still before (%d snapshots in all). ', h.snapshots))
    || iif(w.kind IS NULL, 'Inferred: pools, caches or clients filled up to their number. Not known: whether the growth '
      || 'comes back, or a leak hides behind it that is too slow for this recording'
        || iif(l.process IS NULL, '.', printf('; nor whether their peers are still there: %d of what is new are ESTABLISHED '
        || 'connections without keepalive, which stay so where a peer went without a word.', l.new)),
      printf('Of what is new %d are %s. Not known: whether they filled up to a number, or %s fails since, with EMFILE ("too '
        || 'many open files") as at the limit of open files: a user may have so many %s in all of its processes '
        || '(%s, by default 128), and that number is not recorded.', w.new, w.kind, a.call, a.instances, a.sysctl))
    AS explanation,
  iif(w.kind IS NULL, iif(l.process IS NULL, 'Nothing, as long as it stays there. To be sure, record for longer.',
    'Nothing, as long as it stays there and the peers are: ask them (ss on their side), or set SO_KEEPALIVE.'),
    printf('Compare the number with sysctl %s, and the log with the time at which it stopped. If that is it, look where '
      || 'file watchers are made and dropped: a higher number only moves the day.', a.sysctl)) AS advice,
  printf('SELECT snapshot, taken_at, before, fds, change FROM fd_step WHERE process = %d ORDER BY snapshot',
    h.process) AS evidence
FROM growth_shape h
JOIN processes p USING (process)
JOIN (SELECT process, iif(ended_by IS NULL, 'stand', 'stood') AS stand FROM processes) t USING (process)
LEFT JOIN growth g USING (process)
LEFT JOIN watcher w ON w.process = h.process AND w.new * 2 > h.fds_last - h.fds_first
LEFT JOIN allowed a ON a.kind = w.kind
LEFT JOIN silent l ON l.process = h.process AND l.new * 2 > h.fds_last - h.fds_first
WHERE h.shape = 'plateau' AND NOT EXISTS (SELECT 1 FROM growing_group o WHERE o.process = h.process)
  AND h.fds_last - h.fds_first >= h.fds_first / 2
  AND (SELECT total(v.count) FROM verdict_at_end v WHERE v.process = h.process
       AND v.verdict IN ('outlived', 'peer-closed')) * 2 < h.fds_last - h.fds_first
