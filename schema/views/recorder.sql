-- What the recorder tells of itself: its cost, its clocks, what it could not store and what it dropped.

-- What a recording cost.
--   recording
--   snapshots
--   cpu_us             CPU time a snapshot, on average, with what passed between two
--   cpu_percent        of one CPU; NULL: one snapshot has no duration
--   read_us            time of reading a snapshot, on average
--   stored_bytes       bytes a snapshot, on average
CREATE VIEW recorder_cost AS
SELECT recording, count(*) AS snapshots, sum(cpu_us) / count(*) AS cpu_us,
  -- What the first one took was before the time that is known.
  100.0 * sum(iif(is_first, 0, cpu_us)) / nullif((max(boottime_ns) - min(boottime_ns)) / 1000, 0)
    AS cpu_percent,
  sum(processes_us + fds_us + tables_us + second_look_us) / count(*) AS read_us,
  sum(stored_bytes) / count(*) AS stored_bytes
FROM (SELECT *, row_number() OVER (PARTITION BY recording ORDER BY id) = 1 AS is_first FROM snapshot)
GROUP BY recording;

-- Snapshots that were taken late: more than a tenth of the interval after they were due.
--   snapshot, recording
--   intervals          how late, in intervals
CREATE VIEW late_snapshot AS
SELECT s.id AS snapshot, s.recording, s.late_us / (1000.0 * r.interval_ms) AS intervals
FROM snapshot s
JOIN recording r ON r.id = s.recording
WHERE s.late_us > 100 * r.interval_ms;

-- Snapshots before which the wall clock was set (by a second at least) or the host slept, in one boot.
--   snapshot
--   jumped_ns          by how much the wall clock went on more than time did; 0: less than a second
--   suspended_ns       0: less than a second
CREATE VIEW clock_change AS
WITH step AS (
  SELECT s.id AS snapshot, s.wall_ns - lag(s.wall_ns) OVER w AS wall_ns,
    s.boottime_ns - lag(s.boottime_ns) OVER w AS boottime_ns,
    s.monotonic_ns - lag(s.monotonic_ns) OVER w AS monotonic_ns
  FROM snapshot s
  JOIN recording r ON r.id = s.recording
  WHERE r.boot_id IS NOT NULL
  WINDOW w AS (PARTITION BY r.boot_id ORDER BY s.id)
), change AS (
  SELECT snapshot, iif(abs(wall_ns - boottime_ns) >= 1000000000, wall_ns - boottime_ns, 0) AS jumped_ns,
    iif(boottime_ns - monotonic_ns >= 1000000000, boottime_ns - monotonic_ns, 0) AS suspended_ns
  FROM step
)
SELECT * FROM change WHERE jumped_ns <> 0 OR suspended_ns <> 0;

-- How many snapshots a recording has, and how many it missed: they were due and not taken.
--   recording
--   snapshots
--   missed_between     before one that is there
--   missed_at_end      after the last one; NULL: not known, for no end is recorded
--   is_estimate        1: the recorder could not store how many it missed at the end; that is worked out from
--                      the interval, the last snapshot and the end, by the wall clock
--   reasons            of those at the end; NULL: none, or an estimate
--   last_snapshot      NULL: none was stored
--   last_at            its time, or when the recording began
--   end_at             of the recording, or of the part of it that was asked for
CREATE VIEW recording_coverage AS
WITH RECURSIVE told AS (
  SELECT recording, substr(group_concat(detail, ', '), 1, 1000) AS detail
  FROM recorder_event WHERE kind = 'missed-at-end' GROUP BY recording
), part AS (
  -- "disk-full (514), memory (3)": the numbers behind the parentheses.
  SELECT recording, detail AS rest, 0 AS missed FROM told
  UNION ALL
  SELECT recording, substr(rest, instr(rest, '(') + 1),
    missed + min(max(CAST(substr(rest, instr(rest, '(') + 1, 18) AS INTEGER), 0), 1000000000000)
  FROM part WHERE instr(rest, '(') > 0
), counted AS (
  SELECT recording, max(missed) AS missed FROM part GROUP BY recording
), taken AS (
  SELECT r.id AS recording, r.interval_ms, count(s.id) AS snapshots,
    coalesce(sum(s.missed_before), 0) AS missed_between, r.last_snapshot,
    coalesce(s.taken_at, r.started_at) AS last_at, max(s.id) AS last_id,
    min(r.ended_at, coalesce((SELECT value FROM setting WHERE name = 'range_to'), r.ended_at)) AS end_at
  FROM recording r
  LEFT JOIN snapshot s ON s.recording = r.id
  GROUP BY r.id
), timed AS (
  SELECT t.*, (CAST(strftime('%s', end_at) AS REAL) + CAST(substr(end_at, 20, 4) AS REAL)
    - CAST(strftime('%s', last_at) AS REAL) - CAST(substr(last_at, 20, 4) AS REAL)
    + coalesce((SELECT late_us FROM snapshot WHERE id = last_id), 0) / 1e6) AS seconds
  FROM taken t
), guessed AS (
  -- Less than a second, or than two intervals, is what ending takes. Where snapshots were dropped or lost
  -- after the last one, nothing can be said.
  SELECT *, CASE WHEN interval_ms > 0 AND seconds >= 1 AND seconds * 1000 >= 2 * interval_ms
      AND NOT EXISTS (SELECT 1 FROM setting WHERE name = 'is_salvaged')
      AND NOT EXISTS (SELECT 1 FROM dropped WHERE last_snapshot > coalesce(last_id, 0)
        AND first_at <= end_at)
    THEN CAST(seconds * 1000 / interval_ms AS INTEGER) - 1 END AS guess
  FROM timed
)
SELECT g.recording, g.snapshots, g.missed_between,
  coalesce(c.missed, iif(g.end_at IS NULL, NULL, coalesce(g.guess, 0))) AS missed_at_end,
  c.missed IS NULL AND g.guess IS NOT NULL AS is_estimate,
  t.detail AS reasons, g.last_snapshot, g.last_at, g.end_at
FROM guessed g
LEFT JOIN counted c USING (recording)
LEFT JOIN told t USING (recording);

-- All of this in words, a line each, for the report.
--   place              the order
--   text
CREATE VIEW recorder_note AS
SELECT 1 AS place, printf('Snapshots that were due and not taken before a later one, by reason: %s.',
    group_concat(printf('%s (%d)', reason, missed), ', ')) AS text
FROM (SELECT reason, sum(missed) AS missed FROM delay GROUP BY reason HAVING sum(missed) > 0 ORDER BY reason)
HAVING count(*) > 0
UNION ALL
SELECT 2, printf('%d %s (%sZ to %sZ) %s no longer in the archive: %s.', snapshots,
    iif(snapshots = 1, 'snapshot', 'snapshots'), substr(first_at, 1, 19), substr(last_at, 1, 19),
    iif(snapshots = 1, 'is', 'are'),
    CASE reason WHEN 'keep' THEN 'older than --keep' WHEN 'max-size' THEN 'dropped for --max-size'
      WHEN 'slice-from' THEN 'this is a copy of a later part of the time'
      WHEN 'slice-to' THEN 'this is a copy of an earlier part of the time' ELSE reason END)
FROM dropped
UNION ALL
SELECT 3, printf('%sZ: %s%s.', substr(at, 1, 19),
    CASE kind WHEN 'disk-full' THEN 'the disk was full, and nothing more could be stored'
      WHEN 'disk-room' THEN 'there was room on the disk again'
      WHEN 'began-late' THEN 'the recording could not begin before'
      WHEN 'burst-began' THEN 'a burst of snapshots began' WHEN 'burst-ended' THEN 'it ended'
      ELSE kind END,
    CASE WHEN kind LIKE 'disk-%' THEN '' ELSE coalesce(' (' || detail || ')', '') END)
FROM (SELECT * FROM recorder_event WHERE kind <> 'missed-at-end' ORDER BY wall_ns LIMIT 20)
UNION ALL
SELECT 3, printf('%d more events of the recorder are in the table recorder_event.', count(*) - 20)
FROM recorder_event WHERE kind <> 'missed-at-end' HAVING count(*) > 20
UNION ALL
SELECT 3, printf('From %sZ (%s) to the end at %sZ no snapshot of recording %d was stored: %s%d %s due%s.',
    substr(last_at, 1, 19), iif(last_snapshot IS NULL, 'its beginning', 'snapshot ' || last_snapshot),
    substr(end_at, 1, 19), recording, iif(is_estimate, 'about ', ''), missed_at_end,
    iif(missed_at_end = 1, 'was', 'were'), iif(is_estimate,
      ', by its interval and the wall clock; the recorder could not store how many', ', by reason: ' || reasons))
FROM (SELECT * FROM recording_coverage WHERE missed_at_end > 0 ORDER BY recording LIMIT 20)
UNION ALL
SELECT 4, printf('Before snapshot %d%s%s.', snapshot,
    iif(jumped_ns <> 0, printf(' the host''s wall clock was set %s by %.1f s', iif(jumped_ns > 0, 'forward',
        'back'), abs(jumped_ns) / 1e9), ''),
    iif(suspended_ns <> 0, printf('%s the host slept for %.1f s', iif(jumped_ns <> 0, ' and', ''),
        suspended_ns / 1e9), ''))
FROM (SELECT * FROM clock_change ORDER BY snapshot LIMIT 20)
UNION ALL
SELECT 5, printf('In recording %d %s are pseudonyms.', id, replace(redacted, ',', ', '))
FROM recording WHERE redacted IS NOT NULL
UNION ALL
SELECT 6, printf('Each snapshot of recording %d cost the host %.1f ms of CPU time and %s%s.', recording,
    cpu_us / 1e3, CASE WHEN stored_bytes < 50 THEN 'less than 0.1 kB' ELSE printf('%.1f kB', stored_bytes / 1e3) END,
    iif(cpu_percent IS NULL, '', printf('; all of it took %.2f %% of one CPU', cpu_percent)))
FROM recorder_cost
WHERE recording > (SELECT max(recording) - 5 FROM snapshot);
