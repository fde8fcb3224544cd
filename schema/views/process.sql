-- Processes through time.

-- What a process was from one snapshot to another: a row for each stretch in which nothing about it
-- changed.
--   process            process.id
--   first_snapshot     the first snapshot of the stretch
--   last_snapshot      the last; never beyond the recording
--   fd_list_status     how its fds were read: 1 whole, 3 not at all
--   comm, exe, cmdline, cgroup, parent_pid, real_uid, effective_uid   NULL: could not be read
--   netns              netns.id
CREATE TABLE process_span AS
WITH ordered AS (
  SELECT c.*, r.last_snapshot AS recording_last,
    lead(c.snapshot) OVER (PARTITION BY c.process ORDER BY c.snapshot) AS next_snapshot
  FROM process_change c
  JOIN snapshot s ON s.id = c.snapshot
  JOIN recording r ON r.id = s.recording
)
SELECT process, snapshot AS first_snapshot,
  min(coalesce(next_snapshot - 1, recording_last), recording_last) AS last_snapshot,
  fd_list_status, comm, exe, cmdline, cgroup, parent_pid, real_uid, effective_uid, netns
FROM ordered
WHERE change <> 0;
CREATE INDEX _process_span_by_process ON process_span (process, first_snapshot);

-- The snapshots in which the fds of a process were read whole: unbroken stretches.
CREATE TABLE _fd_read_span AS
WITH marked AS (
  SELECT process, first_snapshot, last_snapshot,
    first_snapshot IS NOT 1 + lag(last_snapshot) OVER (PARTITION BY process ORDER BY first_snapshot)
      AS starts
  FROM process_span
  WHERE fd_list_status = 1
), numbered AS (
  SELECT *, sum(starts) OVER (PARTITION BY process ORDER BY first_snapshot) AS stretch
  FROM marked
)
SELECT process, min(first_snapshot) AS first_snapshot, max(last_snapshot) AS last_snapshot
FROM numbered
GROUP BY process, stretch;
CREATE INDEX _fd_read_span_by_process ON _fd_read_span (process, first_snapshot);

-- The processes, each once, as they were last seen.
--   process, pid, start_ticks, comm, exe, cmdline, cgroup, real_uid, effective_uid, parent_pid
--   name               what to call it: comm, or where the kernel has cut that to 15 bytes the file name of
--                      exe that begins with it; NULL: neither could be read
--   netns              inode number of its network namespace
--   first_snapshot, last_snapshot    in which it was seen
--   ended_by           the first snapshot without it; NULL: alive when last looked
--   unread_snapshots   in how many of them its fds could not be read
CREATE TABLE processes AS
WITH program AS (
  SELECT *, replace(exe_path, rtrim(exe_path, replace(exe_path, '/', '')), '') AS file_name
  FROM (SELECT *, iif(exe LIKE '% (deleted)', substr(exe, 1, length(exe) - 10), exe) AS exe_path
        FROM process_span)
)
SELECT p.id AS process, p.pid, p.start_ticks, last.comm, last.exe, last.cmdline, last.cgroup,
  last.real_uid, last.effective_uid, last.parent_pid,
  CASE WHEN length(CAST(last.comm AS BLOB)) >= 15
    AND substr(last.file_name, 1, length(last.comm)) = last.comm
    THEN last.file_name ELSE last.comm END AS name,
  (SELECT inode FROM netns WHERE id = last.netns) AS netns,
  seen.first_snapshot, seen.last_snapshot,
  (SELECT min(c.snapshot) FROM process_change c WHERE c.process = p.id AND c.change = 0) AS ended_by,
  seen.unread_snapshots
FROM process p
JOIN (
  SELECT process, min(first_snapshot) AS first_snapshot, max(last_snapshot) AS last_snapshot,
    sum(CASE WHEN fd_list_status = 1 THEN 0 ELSE last_snapshot - first_snapshot + 1 END)
      AS unread_snapshots
  FROM process_span
  GROUP BY process
) seen ON seen.process = p.id
JOIN program last ON last.process = p.id AND last.last_snapshot = seen.last_snapshot;
CREATE UNIQUE INDEX _processes_by_id ON processes (process);

-- A resource limit of a process from one snapshot to another.
--   process, resource ("Max open files"), first_snapshot, last_snapshot
--   soft, hard         NULL: unlimited
CREATE TABLE limit_span AS
WITH ordered AS (
  SELECT c.*, min(p.last_snapshot, r.last_snapshot) AS known_last,
    lead(c.snapshot) OVER (PARTITION BY c.process, c.resource ORDER BY c.snapshot) AS next_snapshot,
    lag(c.change) OVER w AS previous_change, lag(c.soft) OVER w AS previous_soft,
    lag(c.hard) OVER w AS previous_hard
  FROM limit_change c
  JOIN processes p USING (process)
  JOIN snapshot s ON s.id = c.snapshot
  JOIN recording r ON r.id = s.recording
  WINDOW w AS (PARTITION BY c.process, c.resource ORDER BY c.snapshot)
), marked AS (
  SELECT *,
    coalesce(previous_change, 0) = 0 OR soft IS NOT previous_soft OR hard IS NOT previous_hard AS starts
  FROM ordered
  WHERE change <> 0
), numbered AS (
  SELECT *, sum(starts) OVER (PARTITION BY process, resource ORDER BY snapshot) AS stretch
  FROM marked
)
SELECT process, resource, soft, hard, min(snapshot) AS first_snapshot,
  max(min(coalesce(next_snapshot - 1, known_last), known_last)) AS last_snapshot
FROM numbered
GROUP BY process, resource, stretch;
CREATE INDEX _limit_span_by_process ON limit_span (process, resource, first_snapshot);
