-- The whole host comes near the number of open files that the kernel allows: ENFILE for everybody.
SELECT
  iif(s.files_allocated * 100 >= s.files_maximum * 95, 'critical', 'warning') AS severity,
  printf('the host had %d of %d possible open files at %sZ (%d %%)', s.files_allocated, s.files_maximum,
         substr(s.taken_at, 1, 19), s.files_allocated * 100 / s.files_maximum) AS title,
  NULL AS pid, NULL AS start_ticks,
  printf('Observed: fs.file-nr in snapshot %d. At the maximum each call that needs a new file fails with '
    || 'ENFILE, whatever the limit of the process; only privileged ones (CAP_SYS_ADMIN) go on. Not known: which '
    || 'processes hold them, but for the recorded ones.', s.id) AS explanation,
  'Find the processes with the most open files (fdcapture record --all), and raise fs.file-max if all of '
    || 'them are wanted.' AS advice,
  'SELECT id AS snapshot, taken_at, files_allocated, files_maximum FROM snapshot WHERE files_allocated * '
    || '100 >= files_maximum * (SELECT near_limit_percent FROM threshold) ORDER BY id' AS evidence
FROM snapshot s
WHERE s.id = (SELECT id FROM snapshot WHERE files_maximum > 0
              ORDER BY files_allocated * 1.0 / files_maximum DESC, id LIMIT 1)
  AND s.files_allocated * 100 >= s.files_maximum * (SELECT near_limit_percent FROM threshold)
