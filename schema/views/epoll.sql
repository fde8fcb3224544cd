-- What epolls watch, through time.

-- Which epolls watch a file, from one snapshot to another.
--   process, fd        the epoll
--   watched_fd         the number that the file had when it was added
--   inode              of the file that is watched
CREATE TABLE epoll_watch_span AS
WITH ordered AS (
  SELECT c.*, lead(c.snapshot) OVER (
      PARTITION BY c.process, c.fd, c.watched_fd, c.inode, c.device ORDER BY c.snapshot) AS next_snapshot
  FROM epoll_watch_change c
)
SELECT o.process, o.fd, o.watched_fd, o.inode, o.device, o.events, o.data, o.snapshot AS first_snapshot,
  min(coalesce(o.next_snapshot - 1, f.last_snapshot), f.last_snapshot, r.last_snapshot)
    AS last_snapshot
FROM ordered o
JOIN fd_span f ON f.process = o.process AND f.fd = o.fd
  AND o.snapshot BETWEEN f.first_snapshot AND f.last_snapshot
JOIN snapshot s ON s.id = o.snapshot
JOIN recording r ON r.id = s.recording
WHERE o.change <> 0;
CREATE INDEX _epoll_watch_span_by_inode ON epoll_watch_span (process, inode);
CREATE INDEX _epoll_watch_span_by_epoll ON epoll_watch_span (process, fd, watched_fd);
