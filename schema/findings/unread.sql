-- What the recorder could not read: the fds of processes, what fds are, or anything else.
WITH unread AS (
  SELECT count(*) AS processes, min(pid) AS pid, min(start_ticks) AS start_ticks,
    sum(unread_snapshots) AS unread_snapshots, sum(last_snapshot - first_snapshot + 1) AS snapshots
  FROM processes
  WHERE unread_snapshots > 0
), link AS (
  SELECT count(*) AS processes, sum(l.fds) AS fds, sum(f.fds_last) AS all_fds, min(p.pid) AS pid,
    min(p.start_ticks) AS start_ticks, min(r.is_refused) AS is_refused, count(DISTINCT coalesce(r.reason, '')) AS reasons,
    min(r.reason) AS reason
  FROM unread_link l
  JOIN processes p USING (process)
  JOIN process_fds f USING (process)
  LEFT JOIN unread_reason r USING (process)
), failed AS (
  SELECT count(DISTINCT file) AS things, sum(count) AS reads, (SELECT count(DISTINCT snapshot) FROM failure) AS snapshots
  FROM unreadable
), unread_table AS (
  SELECT count(*) AS tables, sum(last_snapshot - first_snapshot + 1) AS snapshots FROM net_table_span
  WHERE status IN (3, 4) AND net_table IN (1, 2)
)
SELECT
  'warning' AS severity,
  iif(processes = 1, 'its fds', printf('the fds of %d processes', processes))
    || ' could not be read in ' || CASE
      WHEN unread_snapshots = snapshots THEN iif(processes = 1, 'any of its snapshots', 'any of their snapshots')
      WHEN processes = 1 THEN printf('%d of %d snapshots', unread_snapshots, snapshots)
      ELSE 'some of their snapshots' END AS title,
  iif(processes = 1, pid, NULL) AS pid, iif(processes = 1, start_ticks, NULL) AS start_ticks,
  'Observed: the list of fds could not be read; what failed and why is among what could not be seen. Not '
    || 'known: how many fds there were then, and what they were.' AS explanation,
  'Record as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.' AS advice,
  'SELECT pid, comm, unread_snapshots, last_snapshot - first_snapshot + 1 AS snapshots FROM processes WHERE '
    || 'unread_snapshots > 0 ORDER BY pid' AS evidence
FROM unread
WHERE processes > 0
UNION ALL
SELECT
  'warning',
  printf('what %d of %s %d fds %s could not be read%s', fds, iif(processes = 1, 'its', printf('the fds of %d '
    || 'processes,', processes)), all_fds, iif(fds = 1, 'is', 'are'), iif(reasons = 1, ' (' || reason || ')', '')),
  iif(processes = 1, pid, NULL), iif(processes = 1, start_ticks, NULL),
  'Observed: the numbers of these fds are listed, and their links could not be read. Not known: what they are, '
    || 'whether connections are among them, and whether any outlived its connection; they count as fds and as '
    || 'nothing else.',
  iif(is_refused, 'Record as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.', 'See what failed and why among what could not be '
    || 'seen.'),
  'SELECT p.pid, p.comm, l.fds AS unread_fds, r.reason FROM unread_link l JOIN processes p USING (process) LEFT '
    || 'JOIN unread_reason r USING (process) ORDER BY l.fds DESC, p.pid'
FROM link
WHERE processes > 0
UNION ALL
SELECT
  iif(t.tables > 0, 'warning', 'info'),
  printf('%d %s not be read%s', f.things, iif(f.things = 1, 'thing could', 'things could'),
    iif(t.tables > 0, ', a TCP table among them', '')),
  NULL, NULL,
  printf('Observed: %d reads failed in %d of the snapshots. ', f.reads, f.snapshots)
    || iif(t.tables > 0, printf('A TCP table could not be read whole in %d snapshots: no verdict counts what '
      || 'it does not list there. ', t.snapshots), '')
    || 'Not known: what they would have told; nothing counts as closed or gone because of them.',
  'See what failed and why in the evidence; most often it is a missing privilege.',
  'SELECT operation, file, pid, reason, detail, count, snapshots FROM unreadable ORDER BY snapshots DESC, '
    || 'file, operation, errno, detail'
FROM failed f, unread_table t
WHERE f.things > 0 OR t.tables > 0
