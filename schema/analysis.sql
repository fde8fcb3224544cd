-- The tables that fdanalyze's checked import fills, in a database of its own. They hold the rows of the
-- archive (schema/README.md) with what they refer to put in place: names as printable text, addresses as
-- `192.0.2.7:9091`, processes and namespaces under one number through all recordings of a boot.

CREATE TABLE setting (
  name TEXT PRIMARY KEY,
  value
) WITHOUT ROWID;

-- The last link of the hash chain, as the file has it: `fdanalyze check` tells whether the chain holds.
CREATE TABLE chain_head (
  link INTEGER,               -- its number
  value TEXT                  -- hexadecimal digits
);

CREATE TABLE recording (
  id INTEGER PRIMARY KEY,
  started_at TEXT,            -- UTC, ISO 8601
  ended_at TEXT,              -- NULL: no end is recorded
  end_reason TEXT,
  boot_id TEXT,
  host_name TEXT,
  kernel_release TEXT,
  machine TEXT,
  clock_ticks_per_second INTEGER,
  program_version TEXT,
  recorder_pid INTEGER,
  recorder_uid INTEGER,
  recorder_login_uid INTEGER, -- who logged in; NULL: nobody did, or the kernel does not tell
  interval_ms INTEGER,
  options TEXT,               -- JSON array of printable texts
  keeps_texts INTEGER,        -- 0: the texts that were read are not in the archive
  redacted TEXT,              -- what is pseudonyms: cmdline, paths, addresses; NULL: nothing
  note TEXT,
  first_snapshot INTEGER,     -- NULL: none was stored
  last_snapshot INTEGER
);

CREATE TABLE snapshot (
  id INTEGER PRIMARY KEY,
  recording INTEGER,
  keyframe INTEGER,
  is_burst INTEGER,           -- 1: taken between two regular ones, because of --burst-above
  taken_at TEXT,              -- UTC, ISO 8601, by the host's wall clock
  wall_ns INTEGER,
  monotonic_ns INTEGER,
  boottime_ns INTEGER,        -- what durations are worked out from: it never jumps and counts suspend
  late_us INTEGER,
  missed_before INTEGER,
  processes_us INTEGER,
  fds_us INTEGER,
  tables_us INTEGER,
  second_look_us INTEGER,
  store_us INTEGER,
  cpu_us INTEGER,             -- of the recorder, since the snapshot before
  stored_bytes INTEGER,
  previous_commit_us INTEGER,
  files_allocated INTEGER,
  files_maximum INTEGER,
  file_max INTEGER,
  nr_open INTEGER,
  uptime_ms INTEGER
);

-- Why snapshots that were due before this one were not taken, or this one was late.
CREATE TABLE delay (
  snapshot INTEGER,
  reason TEXT,                -- slow, cpu-budget, stopped, suspended, disk-full, max-size, memory, io-error
  missed INTEGER              -- how many; 0: this one was late
);

-- What the recorder tells of itself.
CREATE TABLE recorder_event (
  recording INTEGER,
  at TEXT,                    -- UTC, ISO 8601, by the host's wall clock
  wall_ns INTEGER,
  boottime_ns INTEGER,
  kind TEXT,                  -- disk-full, disk-room, began-late, burst-began, burst-ended, missed-at-end
  detail TEXT
);

-- Snapshots that were taken and are no longer in the archive.
CREATE TABLE dropped (
  reason TEXT,                -- keep, max-size, slice-from, slice-to
  snapshots INTEGER,
  first_at TEXT,              -- UTC, ISO 8601
  last_at TEXT,
  last_snapshot INTEGER
);

CREATE TABLE failure (
  snapshot INTEGER,
  operation TEXT,
  subject TEXT,
  pid INTEGER,
  errno INTEGER,
  detail TEXT,
  count INTEGER
);

CREATE TABLE process (
  id INTEGER PRIMARY KEY,
  boot_id TEXT,
  pid INTEGER,
  start_ticks INTEGER
);

CREATE TABLE process_change (
  snapshot INTEGER,
  process INTEGER,
  change INTEGER,
  fd_list_status INTEGER,
  parent_pid INTEGER,
  comm TEXT,
  exe TEXT,
  cmdline TEXT,
  cgroup TEXT,
  real_uid INTEGER,
  effective_uid INTEGER,
  netns INTEGER
);

CREATE TABLE limit_change (
  snapshot INTEGER,
  process INTEGER,
  change INTEGER,
  resource TEXT,
  soft INTEGER,
  hard INTEGER,
  unit TEXT
);

CREATE TABLE fd_change (
  snapshot INTEGER,
  process INTEGER,
  fd INTEGER,
  change INTEGER,
  link_type INTEGER,
  link_number INTEGER,
  link_text TEXT,
  protocol TEXT,
  flags INTEGER,
  mount_id INTEGER,
  inode INTEGER,
  file_type INTEGER,
  link_count INTEGER,
  detail TEXT
);

CREATE TABLE fd_position_change (
  snapshot INTEGER,
  process INTEGER,
  fd INTEGER,
  position INTEGER
);

CREATE TABLE epoll_watch_change (
  snapshot INTEGER,
  process INTEGER,
  fd INTEGER,
  change INTEGER,
  watched_fd INTEGER,
  inode INTEGER,
  device INTEGER,
  events INTEGER,
  data INTEGER,
  position INTEGER
);

CREATE TABLE second_look (
  snapshot INTEGER,
  process INTEGER,
  fd INTEGER,
  outcome INTEGER,
  table_reads INTEGER,
  errno INTEGER
);
CREATE INDEX _second_look_by_fd ON second_look (process, fd, snapshot);

CREATE TABLE autopsy (
  snapshot INTEGER,
  process INTEGER,
  fd INTEGER,
  inode INTEGER,
  asked_at_ns INTEGER,
  state INTEGER,
  local TEXT,
  local_port INTEGER,
  remote TEXT,
  remote_port INTEGER,
  peer_errno INTEGER,
  netns_inode INTEGER,
  options INTEGER,
  rtt_us INTEGER,
  min_rtt_us INTEGER,
  last_data_sent_ms INTEGER,
  last_data_received_ms INTEGER,
  last_ack_received_ms INTEGER,
  bytes_acked INTEGER,
  bytes_received INTEGER,
  segments_out INTEGER,
  segments_in INTEGER,
  data_segments_out INTEGER,
  data_segments_in INTEGER,
  delivered INTEGER,
  retransmits INTEGER
);
CREATE INDEX _autopsy_by_inode ON autopsy (inode, snapshot);

CREATE TABLE netns (
  id INTEGER PRIMARY KEY,
  boot_id TEXT,
  inode INTEGER
);

CREATE TABLE net_table_change (
  snapshot INTEGER,
  netns INTEGER,
  net_table INTEGER,
  status INTEGER
);

CREATE TABLE inet_change (
  snapshot INTEGER,
  netns INTEGER,
  net_table INTEGER,
  change INTEGER,
  inode INTEGER,
  local TEXT,
  local_port INTEGER,
  remote TEXT,
  remote_port INTEGER,
  state INTEGER,
  uid INTEGER
);
CREATE INDEX _inet_change_gone ON inet_change (inode, snapshot) WHERE change = 0;

CREATE TABLE inet_gone (
  snapshot INTEGER,
  inode INTEGER
);
CREATE INDEX _inet_gone_by_inode ON inet_gone (inode, snapshot);

CREATE TABLE inet_queue_change (
  snapshot INTEGER,
  netns INTEGER,
  net_table INTEGER,
  inode INTEGER,
  tx_queue INTEGER,
  rx_queue INTEGER,
  timer INTEGER,
  retransmits INTEGER,
  probes INTEGER,
  drops INTEGER
);

CREATE TABLE time_wait_change (
  snapshot INTEGER,
  netns INTEGER,
  net_table INTEGER,
  local_port INTEGER,
  count INTEGER
);

CREATE TABLE unix_change (
  snapshot INTEGER,
  netns INTEGER,
  change INTEGER,
  inode INTEGER,
  path TEXT,
  type INTEGER,
  state INTEGER,
  flags INTEGER,
  reference_count INTEGER,
  row_count INTEGER
);

CREATE TABLE netlink_change (
  snapshot INTEGER,
  netns INTEGER,
  change INTEGER,
  inode INTEGER,
  protocol INTEGER,
  port_id INTEGER,
  groups INTEGER,
  rx_queue INTEGER,
  tx_queue INTEGER,
  drops INTEGER
);

CREATE TABLE packet_change (
  snapshot INTEGER,
  netns INTEGER,
  change INTEGER,
  inode INTEGER,
  type INTEGER,
  protocol INTEGER,
  interface INTEGER,
  running INTEGER,
  rx_queue INTEGER,
  uid INTEGER
);

CREATE TABLE sockstat_change (
  snapshot INTEGER,
  netns INTEGER,
  net_table INTEGER,
  change INTEGER,
  name TEXT,
  value INTEGER
);

-- Fds whose rows were left out, since a report only counts them: how many were opened and closed in a snapshot. Only
-- `fdanalyze report` leaves any out.
CREATE TABLE _left_out (
  process INTEGER,
  what TEXT,                  -- kind: fd_span.kind; verdict: as in verdict_span; else as fd_class.class
  name TEXT,                  -- of these
  snapshot INTEGER,
  opened INTEGER,             -- how many were first seen so in this snapshot
  closed INTEGER,             -- how many were not so any more
  kept INTEGER                -- of those opened: how many are so at the end
);

-- Of these, those that were without a live peer for longer than the grace period when they were closed.
CREATE TABLE _left_out_late (
  process INTEGER,
  verdict TEXT,               -- outlived, peer-closed
  fds INTEGER,
  longest_ns INTEGER          -- how long the one was so that was so for longest, until the look that saw it closed
);

-- Of these the connections that are open at the end, all of them ESTABLISHED.
CREATE TABLE _left_out_peer (
  process INTEGER,
  net_table INTEGER,
  direction TEXT,             -- as in peer_group
  local_port INTEGER,
  peer TEXT,
  count INTEGER
);

-- And those that an epoll of their process watches, each under its number.
CREATE TABLE _left_out_watched (
  process INTEGER,
  fd INTEGER,
  inode INTEGER,
  PRIMARY KEY (process, fd)
) WITHOUT ROWID;

-- Names of the numbers that rows hold.

CREATE TABLE tcp_state (
  state INTEGER PRIMARY KEY,
  name TEXT,
  is_connection INTEGER,      -- 1: who is in it has, or had, a peer that answered
  verdict TEXT
);
INSERT INTO tcp_state VALUES
  (1, 'ESTABLISHED', 1, 'connected'), (2, 'SYN_SENT', 0, 'connected'),
  (3, 'SYN_RECV', 0, 'connected'), (4, 'FIN_WAIT1', 1, 'closing'), (5, 'FIN_WAIT2', 1, 'closing'),
  (6, 'TIME_WAIT', 1, 'closing'), (7, 'CLOSE', 0, 'closing'), (8, 'CLOSE_WAIT', 1, 'peer-closed'),
  (9, 'LAST_ACK', 1, 'closing'), (10, 'LISTEN', 0, 'listening'), (11, 'CLOSING', 1, 'closing'),
  (12, 'NEW_SYN_RECV', 0, 'connected');

CREATE TABLE net_table_name (
  net_table INTEGER PRIMARY KEY,
  name TEXT,
  protocol TEXT               -- what the kernel calls the protocol of a socket that it lists
);
INSERT INTO net_table_name VALUES
  (1, 'tcp', 'TCP'), (2, 'tcp6', 'TCPv6'), (3, 'udp', 'UDP'), (4, 'udp6', 'UDPv6'),
  (5, 'udplite', 'UDP-Lite'), (6, 'udplite6', 'UDPLITEv6'), (7, 'raw', 'RAW'), (8, 'raw6', 'RAWv6'),
  (9, 'icmp', 'PING'), (10, 'icmp6', 'PINGv6'), (11, 'unix', 'UNIX'), (12, 'netlink', 'NETLINK'),
  (13, 'packet', 'PACKET'), (14, 'sockstat', NULL), (15, 'sockstat6', NULL);

-- Why calls fail, as people say it.
CREATE TABLE errno_name (
  errno INTEGER PRIMARY KEY,
  words TEXT
);
INSERT INTO errno_name VALUES
  (1, 'EPERM: operation not permitted'), (2, 'ENOENT: no such file or directory'),
  (3, 'ESRCH: no such process'), (4, 'EINTR: interrupted'), (5, 'EIO: input/output error'),
  (9, 'EBADF: bad file descriptor'), (11, 'EAGAIN: try again'), (12, 'ENOMEM: out of memory'),
  (13, 'EACCES: permission denied'), (20, 'ENOTDIR: not a directory'), (22, 'EINVAL: invalid argument'),
  (23, 'ENFILE: too many open files on the host'), (24, 'EMFILE: too many open files'),
  (27, 'EFBIG: too large'), (36, 'ENAMETOOLONG: name too long'), (38, 'ENOSYS: not in this kernel'),
  (40, 'ELOOP: too many links'), (61, 'ENODATA: no data'), (75, 'EOVERFLOW: too large for its type'),
  (92, 'ENOPROTOOPT: not known to the protocol'), (95, 'EOPNOTSUPP: not supported'),
  (107, 'ENOTCONN: not connected'), (110, 'ETIMEDOUT: timed out'), (116, 'ESTALE: stale file handle');

-- What `report --log` and `--mark` add. Other commands leave these empty.

CREATE TABLE mark (
  id INTEGER PRIMARY KEY,     -- in the order of time
  at TEXT,                    -- UTC, ISO 8601, by the clock of who wrote the log
  at_ns INTEGER,
  last_at TEXT,               -- of the last of several lines that are alike; else the same
  kind TEXT,                  -- EMFILE, ENFILE, accept-error, other (by hand)
  source TEXT,                -- the log; NULL: by hand
  count INTEGER,              -- lines
  text TEXT,                  -- of the first of them
  snapshot INTEGER            -- the last one at or before it; NULL: none
);

CREATE TABLE log (
  path TEXT,
  lines INTEGER,
  matched INTEGER,            -- that tell of EMFILE, ENFILE or a failed accept
  without_time INTEGER,       -- of these: no time was found; they are no mark
  without_zone INTEGER,       -- of these: taken for times of offset_s
  without_year INTEGER,       -- of these: the year is that of the recording
  offset_s INTEGER            -- east of UTC
);
