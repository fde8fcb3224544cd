-- What the listings of fdanalyze print.

-- Every snapshot: the rows of `fdanalyze snapshots`.
--   recording, snapshot, taken_at
--   processes          how many were recorded in it
--   fds                how many fds they had that could be read
--   failures           how many reads failed
CREATE VIEW snapshots AS
SELECT s.recording, s.id AS snapshot, s.taken_at,
  (SELECT count(*) FROM process_span p WHERE s.id BETWEEN p.first_snapshot AND p.last_snapshot)
    AS processes,
  (SELECT sum((SELECT c.fds FROM fd_count c WHERE c.process = r.process AND c.snapshot <= s.id
               ORDER BY c.snapshot DESC LIMIT 1))
   FROM _fd_read_span r WHERE s.id BETWEEN r.first_snapshot AND r.last_snapshot) AS fds,
  (SELECT coalesce(sum(count), 0) FROM failure f WHERE f.snapshot = s.id) AS failures
FROM snapshot s;

-- One fd as a line of text, from one snapshot to another: what `diff` compares.
--   process, pid, comm, fd, id (fd_span.id), first_snapshot, last_snapshot
--   text               target, and of a socket its protocol, addresses, state and verdict
CREATE VIEW fd_description AS
SELECT f.process, p.pid, p.comm, f.fd, f.id, f.first_snapshot, f.last_snapshot, f.target AS text
FROM fd_span f
JOIN processes p USING (process)
WHERE f.socket_inode IS NULL
UNION ALL
SELECT f.process, p.pid, p.comm, f.fd, f.id, v.first_snapshot, v.last_snapshot,
  f.target || coalesce(' ' || f.protocol, '')
    || CASE WHEN v.local IS NULL THEN ''
            WHEN v.verdict = 'listening' THEN ' ' || v.local
            ELSE printf(' %s -> %s', v.local, v.remote) END
    || coalesce(' ' || CASE WHEN v.verdict NOT IN ('outlived', 'unlisted')
                       THEN (SELECT name FROM tcp_state WHERE state = v.state) END, '')
    || CASE WHEN v.verdict IN ('outlived', 'unlisted', 'peer-closed')
       THEN printf(' (%s)', v.verdict) ELSE '' END
FROM fd_span f
JOIN processes p USING (process)
JOIN verdict_span v ON v.id = f.id;

-- What `diff` says, with the fds that it says it of: id_before and id_after are fd_span.id.
CREATE VIEW _diff AS
SELECT a.id AS snapshot_a, b.id AS snapshot_b,
  CASE WHEN y.id IS NULL THEN 'closed' WHEN y.id <> x.id THEN 'replaced' ELSE 'changed' END AS change,
  x.pid, x.comm, x.fd, x.text AS before, y.text AS after, x.id AS id_before, y.id AS id_after
FROM snapshot a
CROSS JOIN snapshot b
CROSS JOIN fd_description x ON a.id BETWEEN x.first_snapshot AND x.last_snapshot
LEFT JOIN fd_description y ON y.process = x.process AND y.fd = x.fd
  AND b.id BETWEEN y.first_snapshot AND y.last_snapshot
WHERE (y.id IS NOT NULL AND (y.id <> x.id OR y.text IS NOT x.text))
  OR (y.id IS NULL AND EXISTS (SELECT 1 FROM fd_span f WHERE f.id = x.id AND f.closed_by <= b.id))
UNION ALL
SELECT a.id, b.id, 'opened', y.pid, y.comm, y.fd, NULL, y.text, NULL, y.id
FROM snapshot a
CROSS JOIN snapshot b
CROSS JOIN fd_description y ON b.id BETWEEN y.first_snapshot AND y.last_snapshot
WHERE NOT EXISTS (SELECT 1 FROM fd_span f WHERE f.process = y.process AND f.fd = y.fd
                  AND a.id BETWEEN f.first_snapshot AND f.last_snapshot)
  AND (EXISTS (SELECT 1 FROM _fd_read_span r WHERE r.process = y.process
               AND a.id BETWEEN r.first_snapshot AND r.last_snapshot)
       OR a.id < (SELECT p.first_snapshot FROM processes p WHERE p.process = y.process));

-- What opened, closed and changed between two snapshots: give both in WHERE. An fd that the later
-- snapshot could not see (its process was not read) is in no row.
--   snapshot_a, snapshot_b
--   change             opened, closed, replaced (the number belongs to another file), changed
--   pid, comm, fd
--   before, after      fd_description.text; NULL: not open
CREATE VIEW diff AS
SELECT snapshot_a, snapshot_b, change, pid, comm, fd, before, after FROM _diff;
