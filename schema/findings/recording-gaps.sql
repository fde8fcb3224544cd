-- What the recorder itself left out: snapshots that it missed or took late, if one by more than half the interval, and
-- time between recordings. A recording without an end is no gap: what is in the file is whole up to its last snapshot.
WITH taken AS (
  SELECT (SELECT sum(missed_between) + coalesce(sum(missed_at_end), 0) FROM recording_coverage) AS missed,
    (SELECT max(is_estimate) FROM recording_coverage) AS is_estimate,
    (SELECT iif(max(intervals) > 0.5, count(*), 0) FROM late_snapshot) AS late,
    count(*) AS snapshots
  FROM snapshot s
  JOIN recording r ON r.id = s.recording
), pause AS (
  SELECT r.id, n.id AS next, (b.boottime_ns - a.boottime_ns) / 1e9 AS seconds,
    r.boot_id = n.boot_id AS same_boot  -- NULL: not known
  FROM recording r
  JOIN recording n ON n.id = (SELECT min(m.id) FROM recording m WHERE m.id > r.id
                              AND m.first_snapshot IS NOT NULL)
  JOIN snapshot a ON a.id = r.last_snapshot
  JOIN snapshot b ON b.id = n.first_snapshot
), reason AS (
  -- Those of snapshots that were missed, each once, most first.
  SELECT group_concat(reason, ', ') AS reasons
  FROM (
    SELECT reason
    FROM (
      SELECT reason, sum(missed) AS missed FROM delay GROUP BY reason
      UNION ALL
      SELECT substr(trim(value), 1, instr(trim(value), ' ') - 1), CAST(substr(value, instr(value, '(') + 1) AS INTEGER)
      FROM recording_coverage, json_each('[' || replace(json_quote(reasons), ', ', '","') || ']')
      WHERE reasons IS NOT NULL
    )
    WHERE missed > 0
    GROUP BY reason
    ORDER BY sum(missed) DESC, reason
  )
), told AS (
  SELECT iif(t.missed > 0, printf('%s%d %s missed', iif(t.is_estimate, 'about ', ''), t.missed, iif(t.missed = 1, 'snapshot was',
      'snapshots were')), NULL) AS missed,
    iif(t.late > 0, printf('%d of %d taken late', t.late, t.snapshots), NULL) AS late,
    iif(p.pauses > 0, printf('%d %s between recordings', p.pauses, iif(p.pauses = 1, 'pause', 'pauses')),
        NULL) AS paused,
    p.words
  FROM taken t, (
    SELECT count(*) AS pauses, group_concat(printf('%s between the recordings %d and %d%s',
      iif(same_boot, printf('%.0f s', seconds), iif(same_boot IS NULL, 'an unknown time', 'a boot')), id, next,
      iif(same_boot IS NULL, ' (perhaps with a boot)', '')), ', ') AS words
    FROM pause) p
)
SELECT
  'info' AS severity,
  'the recording has gaps: ' || substr(coalesce(', ' || missed, '') || coalesce(', ' || late, '')
    || coalesce(', ' || paused, ''), 3) AS title,
  NULL AS pid, NULL AS start_ticks,
  'Observed: '
    || iif(missed IS NULL AND late IS NULL, '', 'snapshots that are missed or late make the time in which '
      || 'nothing is seen longer than the interval' || iif(late IS NULL, '', '; "late" is more than a tenth of '
      || 'it, and at least one was late by more than half') || '. ')
    || coalesce('Snapshots were missed for these reasons: ' || reasons || '. ', '')
    || coalesce('Not recorded: ' || words || '. ', '')
    || 'Not known: what happened in these times; nothing counts as closed or gone because of them.'
    AS explanation,
  CASE
    WHEN reasons LIKE 'disk-full%' THEN 'Make room on the file system of the archive, or bound it with --max-size, and record '
      || 'again.'
    WHEN reasons LIKE 'stopped%' THEN 'Where it matters, record again, and let nothing stop the recorder (SIGSTOP, a suspended '
      || 'host).'
    WHEN missed IS NOT NULL THEN 'Where it matters, record again, with a longer interval.'
    ELSE 'Where it matters, record again.' END AS advice,
  'SELECT r.id AS recording, r.started_at, r.ended_at, r.end_reason, r.first_snapshot, r.last_snapshot, '
    || 'c.missed_between, c.missed_at_end, c.is_estimate, count(l.snapshot) AS late, max(l.intervals) AS '
    || 'intervals_late FROM recording r JOIN recording_coverage c ON c.recording = r.id LEFT JOIN snapshot s ON '
    || 's.recording = r.id LEFT JOIN late_snapshot l ON l.snapshot = s.id '
    || 'GROUP BY r.id ORDER BY r.id' AS evidence
FROM told, reason
WHERE coalesce(missed, late, paused) IS NOT NULL
