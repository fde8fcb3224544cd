-- A process ended and another of the same name took its place.
SELECT
  'info' AS severity,
  printf('%s ended and was started again as pid %d', a.comm, b.pid) AS title,
  a.pid, a.start_ticks,
  printf('It was last seen at %s with %d fds; pid %d was first seen at %s with %d.', last.taken_at,
    old.fds_last, b.pid, first.taken_at, new.fds_first) AS explanation,
  'All fds of the old process are closed with it. If it was restarted because of them, its report below '
    || 'tells which they were; watch whether the new one goes the same way.' AS advice,
  printf('SELECT pid, start_ticks, comm, first_snapshot, last_snapshot, ended_by FROM processes WHERE '
    || 'process IN (%d, %d)', a.process, b.process) AS evidence
FROM processes a
JOIN processes b ON b.comm = a.comm AND b.exe IS a.exe AND b.process <> a.process
  AND b.first_snapshot > a.first_snapshot AND b.first_snapshot >= a.last_snapshot
JOIN process_fds old ON old.process = a.process
JOIN process_fds new ON new.process = b.process
JOIN snapshot last ON last.id = a.last_snapshot
JOIN snapshot first ON first.id = b.first_snapshot
WHERE a.ended_by IS NOT NULL
  AND b.first_snapshot = (SELECT min(c.first_snapshot) FROM processes c WHERE c.comm = a.comm
    AND c.exe IS a.exe AND c.process <> a.process AND c.first_snapshot >= a.last_snapshot
    AND c.first_snapshot > a.first_snapshot)
  -- One of several workers that come and go is no restart. Who starts them again is none of them.
  AND NOT EXISTS (SELECT 1 FROM processes c WHERE c.comm = a.comm AND c.exe IS a.exe
    AND c.process NOT IN (a.process, b.process) AND c.pid IS NOT a.parent_pid
    AND c.pid IS NOT b.parent_pid AND c.first_snapshot <= a.last_snapshot
    AND coalesce(c.ended_by, b.first_snapshot + 1) > b.first_snapshot)
