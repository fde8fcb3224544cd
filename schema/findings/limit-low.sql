-- More than half of the soft limit in use, and the hard limit would allow at least four times as much.
WITH used AS (
  SELECT f.*, (SELECT max(u.used) FROM limit_use u WHERE u.process = f.process
    AND u.soft_limit = f.soft_limit) AS most_used
  FROM process_fds f
  WHERE f.fds_peak * 2 >= f.soft_limit AND f.hard_limit >= f.soft_limit * 4 AND f.soft_limit > 0
)
SELECT
  'info' AS severity,
  printf('the soft limit of %d open files is far below the hard one of %d, and %d %% of it %s used',
    f.soft_limit, f.hard_limit, f.most_used * 100 / f.soft_limit, iif(f.limit_reached IS NULL, 'is', 'was'))
    AS title,
  p.pid, p.start_ticks,
  printf('Observed: the process had up to %d fds with numbers below it. The soft limit is the one that counts; the '
    || 'program itself may raise it up to the hard one without any privilege.', f.most_used) AS explanation,
  'If the fds are wanted (live clients, not a leak), let the program raise its soft limit at its start, or '
    || 'set LimitNOFILE= of the service. A program that uses select() must stay at 1024.' AS advice,
  printf('SELECT max(u.used) AS used, f.soft_limit, f.hard_limit FROM process_fds f JOIN limit_use u USING '
    || '(process, soft_limit) WHERE process = %d', f.process) AS evidence
FROM used f
JOIN processes p USING (process)
WHERE f.most_used * 2 >= f.soft_limit
