-- What the recorder itself left out: snapshots that it missed or took late, if one by more than half the interval, time
-- between recordings, and a recording without an end.
WITH taken AS (
  SELECT coalesce(sum(s.missed_before), 0) AS missed,
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
), open_end AS (
  SELECT count(*) AS recordings, max(last_snapshot) AS snapshot FROM recording WHERE ended_at IS NULL
), told AS (
  SELECT iif(t.missed > 0, printf('%d %s missed', t.missed, iif(t.missed = 1, 'snapshot was',
      'snapshots were')), NULL) AS missed,
    iif(t.late > 0, printf('%d of %d taken late', t.late, t.snapshots), NULL) AS late,
    iif(p.pauses > 0, printf('%d %s between recordings', p.pauses, iif(p.pauses = 1, 'pause', 'pauses')),
        NULL) AS paused,
    iif(o.recordings > 0, printf('%d %s no end', o.recordings, iif(o.recordings = 1, 'recording has',
        'recordings have')), NULL) AS open_ended,
    p.words
  FROM taken t, open_end o, (
    SELECT count(*) AS pauses, group_concat(printf('%s between the recordings %d and %d%s',
      iif(same_boot, printf('%.0f s', seconds), iif(same_boot IS NULL, 'an unknown time', 'a boot')), id, next,
      iif(same_boot IS NULL, ' (perhaps with a boot)', '')), ', ') AS words
    FROM pause) p
)
SELECT
  'info' AS severity,
  'the recording has gaps: ' || substr(coalesce(', ' || missed, '') || coalesce(', ' || late, '')
    || coalesce(', ' || paused, '') || coalesce(', ' || open_ended, ''), 3) AS title,
  NULL AS pid, NULL AS start_ticks,
  'Observed: '
    || iif(missed IS NULL AND late IS NULL, '', 'snapshots that are missed or late make the time in which '
      || 'nothing is seen longer than the interval' || iif(late IS NULL, '', '; "late" is more than a tenth of '
      || 'it, and at least one was late by more than half') || '. ')
    || coalesce('Not recorded: ' || words || '. ', '')
    || iif(open_ended IS NULL, '', 'A recording without an end was still going on when the file was copied, '
      || 'or its recorder was killed. ')
    || 'Not known: what happened in these times; nothing counts as closed or gone because of them.'
    AS explanation,
  'Where it matters, record again, with a longer interval if snapshots were missed.' AS advice,
  'SELECT r.id AS recording, r.started_at, r.ended_at, r.end_reason, r.first_snapshot, r.last_snapshot, '
    || 'sum(s.missed_before) AS missed, count(l.snapshot) AS late, max(l.intervals) AS intervals_late FROM '
    || 'recording r LEFT JOIN snapshot s ON s.recording = r.id LEFT JOIN late_snapshot l ON l.snapshot = s.id '
    || 'GROUP BY r.id ORDER BY r.id' AS evidence
FROM told
WHERE coalesce(missed, late, paused, open_ended) IS NOT NULL
