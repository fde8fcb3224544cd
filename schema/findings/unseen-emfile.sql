-- A log complains of EMFILE while the snapshots show no process at its limit.
WITH complaint AS (
  SELECT total(m.count) AS lines, min(m.at) AS first_at, max(m.last_at) AS last_at,
    (SELECT text FROM mark x WHERE x.kind = 'EMFILE' AND x.source IS NOT NULL ORDER BY x.at_ns, x.id LIMIT 1) AS text
  FROM mark m
  WHERE m.kind = 'EMFILE' AND m.source IS NOT NULL
    -- Within the recording: a log of another time proves nothing of this one.
    AND m.at >= (SELECT min(taken_at) FROM snapshot) AND m.last_at <= (SELECT max(taken_at) FROM snapshot)
)
SELECT
  'warning' AS severity,
  printf('a log complains of EMFILE (too many open files) %s while recorded, and no snapshot shows a process that uses %d %% '
    || 'of its limit', iif(c.lines = 1, 'once', printf('%d times', c.lines)), t.near_limit_percent) AS title,
  NULL AS pid, NULL AS start_ticks,
  printf('Observed: the first such line is of %sZ, the last of %sZ; the process that came nearest, %s (pid %d), used %d of '
    || '%d. Not known: what failed. The number may have been there and gone between two snapshots; the line may be of a '
    || 'process that was not recorded, or of a call with a limit of its own, as inotify_init().',
    substr(c.first_at, 1, 19), substr(c.last_at, 1, 19), n.name, n.pid, n.used, n.soft_limit) AS explanation,
  'Record again with a shorter --interval, or with --burst-above 50% --burst-interval 100ms, and all processes that write to '
    || 'this log.' AS advice,
  'SELECT taken_at, id AS snapshot, (SELECT max(used * 100 / soft_limit) FROM limit_use_at u WHERE u.snapshot = s.id) AS '
    || 'most_used_percent FROM snapshot s ORDER BY id' AS evidence
FROM complaint c
JOIN threshold t
JOIN (
  SELECT p.pid, coalesce(p.name, p.comm) AS name, u.used, u.soft_limit
  FROM limit_use u
  JOIN processes p USING (process)
  WHERE u.soft_limit > 0
  ORDER BY u.used * 1.0 / u.soft_limit DESC, p.process
  LIMIT 1
) n
WHERE c.lines > 0 AND NOT EXISTS (SELECT 1 FROM _nearest_limit)
  -- inotify_init() gives EMFILE too: fs.inotify.max_user_instances is 128 unless somebody raised it, and others of the
  -- same user may hold the rest.
  AND NOT EXISTS (SELECT 1 FROM kind_at_end k WHERE k.kind IN ('inotify', 'fanotify') AND k.count >= 100)
