-- What the recorder could not read: the fds of a process, or anything else.
SELECT
  'warning' AS severity,
  printf('its fds could not be read in %d of %d snapshots', p.unread_snapshots,
         p.last_snapshot - p.first_snapshot + 1) AS title,
  p.pid, p.start_ticks,
  'Observed: the list of its fds could not be read' || coalesce((SELECT printf(' (%s of %s failed, errno %d)',
      u.operation, u.subject, u.errno) FROM unreadable u WHERE u.pid = p.pid AND u.operation IN ('open',
      'list') ORDER BY u.snapshots DESC, u.subject LIMIT 1), '')
    || '. Not known: how many it had then, and what they were.' AS explanation,
  'Record as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.' AS advice,
  printf('SELECT operation, subject, errno, detail, count, snapshots FROM unreadable WHERE pid = %d',
    p.pid) AS evidence
FROM processes p
WHERE p.unread_snapshots > 0
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
  'SELECT operation, subject, pid, errno, detail, count, snapshots FROM unreadable ORDER BY snapshots DESC, '
    || 'subject, operation, errno, detail'
FROM (SELECT count(DISTINCT subject) AS things, sum(count) AS reads, count(DISTINCT snapshot) AS snapshots
      FROM failure) f,
  (SELECT count(*) AS tables, sum(last_snapshot - first_snapshot + 1) AS snapshots FROM net_table_span
   WHERE status IN (3, 4) AND net_table IN (1, 2)) t
WHERE f.things > 0 OR t.tables > 0
