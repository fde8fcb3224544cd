-- Connections that tables list as alive, and that have lost their peers, or may have.

-- Sockets of which a row of the queues counts segments or probes that were sent again without an answer. The kernel sets
-- both counts to 0 when the peer acknowledges something.
CREATE TABLE _retried_inode AS
SELECT DISTINCT inode FROM inet_queue_change WHERE retransmits > 0 OR probes > 0;
CREATE UNIQUE INDEX _retried_inode_by_inode ON _retried_inode (inode);

-- ESTABLISHED connections at the end with segments or probes that were sent again and that the peer has not answered.
--   process, pid, start_ticks, fd, inode, local, remote
--   unacknowledged     bytes that the program has sent and the peer has not acknowledged, in the last snapshot
--   retransmits        how often some of these were sent again, since the peer acknowledged something last
--   probes             probes without an answer: of keepalive, or of a peer that had no room
--   since              the first snapshot since which it was so in each, and neither count was ever lower than before
--   seconds            from then to the last
--   stays              1: for longer than the grace period
CREATE VIEW unanswered AS
WITH queue AS (
  SELECT *, retransmits + probes AS tries FROM _open_queue WHERE inode IN (SELECT inode FROM _retried_inode)
), stretch AS (
  SELECT *, sum(starts) OVER (PARTITION BY id ORDER BY first) AS number
  FROM (SELECT *, coalesce(first <> 1 + lag(last) OVER w OR lag(tries) OVER w = 0 OR retransmits < lag(retransmits) OVER w
          -- Data to be sent again ends the probes of keepalive, and is what answers then count for.
          OR (probes < lag(probes) OVER w AND retransmits = 0), 1) AS starts
        FROM queue WINDOW w AS (PARTITION BY id ORDER BY first))
), still AS (
  SELECT *, min(first) OVER (PARTITION BY id, number) AS since_snapshot
  FROM stretch
)
SELECT t.process, t.pid, t.start_ticks, t.fd, t.inode, t.local, t.remote, t.tx_queue AS unacknowledged, t.retransmits,
  t.probes, a.taken_at AS since, round((b.boottime_ns - a.boottime_ns) / 1e9, 3) AS seconds,
  b.boottime_ns - a.boottime_ns > 1000000 * (SELECT value FROM setting WHERE name = 'grace_ms') AS stays
FROM still t
JOIN snapshot a ON a.id = t.since_snapshot
JOIN snapshot b ON b.id = t.end
WHERE t.last >= t.end AND t.tries > 0;

-- UNIX sockets (stream and seqpacket) at the end that are connected and to which no peer refers: it has closed. A peer that
-- is there holds a reference (sock_hold in unix_stream_connect and unix_socketpair of net/unix/af_unix.c), so that the
-- kernel counts 3 at least; one alone has 2.
--   process, pid, start_ticks, fd, inode
--   path               its own name; NULL: none
--   first_snapshot     since which the table lists it so
CREATE TABLE unix_without_peer AS
WITH row AS (
  -- The bare columns are those of the row with max(snapshot).
  SELECT n.inode AS netns, u.inode, u.state, u.reference_count, u.row_count, max(u.snapshot) AS first_snapshot
  FROM unix_change u
  JOIN netns n ON n.id = u.netns
  WHERE u.change <> 0 AND u.inode <> 0 AND u.type IN (1, 5)
  GROUP BY n.inode, u.inode
), lone AS MATERIALIZED (
  SELECT * FROM row WHERE state = 3 AND reference_count = 2 AND row_count = 1
)
SELECT s.process, s.pid, s.start_ticks, s.fd, s.inode, nullif(s.local, '') AS path, max(l.first_snapshot, s.first_snapshot)
  AS first_snapshot
FROM lone l
JOIN _socket s ON s.inode = l.inode AND s.netns = l.netns
WHERE s.open_at_end AND s.verdict = 'other' AND s.last_snapshot >= l.first_snapshot;
CREATE INDEX _unix_without_peer_by_process ON unix_without_peer (process);
