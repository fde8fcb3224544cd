-- What epolls watch, through time.

-- Which epolls watch a file, from one snapshot to another: unbroken stretches, through keyframes and recordings, whatever
-- about the registration changed meanwhile.
--   process, fd        the epoll
--   watched_fd         the number that the file had when it was added
--   inode, device      of the file that is watched
--   events, data       of the registration at the end of the stretch
CREATE TABLE epoll_watch_span AS
WITH ordered AS (
  SELECT c.*, lead(c.snapshot) OVER (
      PARTITION BY c.process, c.fd, c.watched_fd, c.inode, c.device ORDER BY c.snapshot) AS next_snapshot
  FROM epoll_watch_change c
), known AS (
  SELECT o.process, o.fd, o.watched_fd, o.inode, o.device, o.events, o.data, f.id AS epoll, o.snapshot AS first_snapshot,
    min(coalesce(o.next_snapshot - 1, f.last_snapshot), f.last_snapshot, r.last_snapshot) AS last_snapshot
  FROM ordered o
  JOIN fd_span f ON f.process = o.process AND f.fd = o.fd
    AND o.snapshot BETWEEN f.first_snapshot AND f.last_snapshot
  JOIN snapshot s ON s.id = o.snapshot
  JOIN recording r ON r.id = s.recording
  WHERE o.change <> 0
), marked AS (
  SELECT *, epoll IS NOT lag(epoll) OVER w OR first_snapshot IS NOT 1 + lag(last_snapshot) OVER w AS starts,
    epoll IS NOT lead(epoll) OVER w OR last_snapshot + 1 IS NOT lead(first_snapshot) OVER w AS ends
  FROM known
  WINDOW w AS (PARTITION BY process, fd, watched_fd, inode, device ORDER BY first_snapshot)
), begun AS (
  -- What keyframes repeat in between tells nothing.
  SELECT *, max(iif(starts, first_snapshot, NULL)) OVER (
      PARTITION BY process, fd, watched_fd, inode, device ORDER BY first_snapshot) AS stretch
  FROM marked
  WHERE starts OR ends
)
-- With one max() the other columns are those of its row.
SELECT process, fd, watched_fd, inode, device, events, data, stretch AS first_snapshot, max(last_snapshot) AS last_snapshot
FROM begun
GROUP BY process, fd, watched_fd, inode, device, stretch;
CREATE INDEX _epoll_watch_span_by_inode ON epoll_watch_span (process, inode);
CREATE INDEX _epoll_watch_span_by_epoll ON epoll_watch_span (process, fd, watched_fd);
