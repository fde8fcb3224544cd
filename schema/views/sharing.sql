-- Sockets that several processes hold, as those that a child inherits through fork.

-- Processes whose sockets without a live peer are all held by one older process too, which speaks for
-- them: findings on them are told of that one.
--   process, held_by   process.id
CREATE TABLE _held_by AS
WITH held AS (
  SELECT process, first_value(process) OVER (PARTITION BY inode, last_snapshot, local, remote
                                             ORDER BY start_ticks, pid, process) AS owner
  FROM socket_holder
  WHERE verdict IN ('outlived', 'peer-closed') AND process_count > 1
), counted AS (
  SELECT process, min(owner) AS owner, max(owner) AS other, count(*) AS fds
  FROM held
  GROUP BY process
)
SELECT process, owner AS held_by
FROM counted c
WHERE owner = other AND owner <> process
  AND fds = (SELECT total(v.count) FROM verdict_at_end v WHERE v.process = c.process
             AND v.verdict IN ('outlived', 'peer-closed'));
CREATE UNIQUE INDEX _held_by_by_process ON _held_by (process);
