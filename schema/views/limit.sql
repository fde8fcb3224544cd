-- How much of their limits of open files processes use.

-- Fds whose numbers are not below a soft limit that their process had: opened under a higher one, or
-- inherited. They count as fds and take no number below the limit.
--   process, soft_limit
--   snapshot, fds      from this snapshot on there are so many
CREATE TABLE _fd_above AS
WITH above AS (
  SELECT l.process, l.soft_limit, f.first_snapshot, f.closed_by, p.ended_by
  FROM (SELECT DISTINCT process, soft_limit FROM fd_count WHERE soft_limit IS NOT NULL) l
  JOIN processes p USING (process)
  JOIN fd_span f ON f.process = l.process AND f.fd >= l.soft_limit
), event AS (
  SELECT process, soft_limit, first_snapshot AS snapshot, 1 AS delta FROM above
  UNION ALL
  SELECT process, soft_limit, closed_by, -1 FROM above
  WHERE closed_by IS NOT NULL AND closed_by IS NOT ended_by
)
SELECT process, soft_limit, snapshot,
  sum(sum(delta)) OVER (PARTITION BY process, soft_limit ORDER BY snapshot) AS fds
FROM event
GROUP BY process, soft_limit, snapshot;
CREATE INDEX _fd_above_by_limit ON _fd_above (process, soft_limit, snapshot);

-- How much of its limit of open files a process uses, at the snapshots of fd_count. A call that needs a
-- new fd fails with EMFILE where no number below the soft limit is free, so when used = soft_limit.
--   process, snapshot, fds, soft_limit   as in fd_count
--   used               fds whose number is below the soft limit; without one all of them
CREATE VIEW limit_use AS
SELECT c.process, c.snapshot, c.fds, c.soft_limit,
  c.fds - coalesce((SELECT a.fds FROM _fd_above a WHERE a.process = c.process
    AND a.soft_limit = c.soft_limit AND a.snapshot <= c.snapshot ORDER BY a.snapshot DESC LIMIT 1), 0)
    AS used
FROM fd_count c;

-- The same at each snapshot in which the fds were read.
--   process, snapshot, taken_at, fds, soft_limit, used
CREATE VIEW limit_use_at AS
SELECT r.process, s.id AS snapshot, s.taken_at, u.fds, u.soft_limit, u.used
FROM _fd_read_span r
JOIN snapshot s ON s.id BETWEEN r.first_snapshot AND r.last_snapshot
JOIN limit_use u ON u.process = r.process AND u.snapshot = (SELECT max(c.snapshot) FROM fd_count c
  WHERE c.process = r.process AND c.snapshot <= s.id);

-- When a process came nearest to its limit of that time, of those that came near (threshold).
--   process, snapshot, fds, used, soft_limit   as in limit_use
CREATE TABLE _nearest_limit AS
SELECT process, snapshot, fds, used, soft_limit
FROM (
  SELECT u.*, row_number() OVER (PARTITION BY process ORDER BY used * 1.0 / soft_limit DESC, snapshot) AS rank
  FROM limit_use u
  JOIN threshold t
  WHERE soft_limit > 0 AND fds * 100 >= soft_limit * t.near_limit_percent
    AND used * 100 >= soft_limit * t.near_limit_percent
)
WHERE rank = 1;
CREATE UNIQUE INDEX _nearest_limit_by_process ON _nearest_limit (process);
