-- The archive as fdcapture writes it: format version 3. schema/README.md says what each column means.
--
-- Rows are only ever added; only whole stretches of the oldest snapshots are dropped. Tables named *_change hold a row when something is another way than in the
-- snapshot before, and all that is there at a keyframe; their `change` is Change of format.h.

CREATE TABLE recording (
  id INTEGER PRIMARY KEY,
  started_at_ns INTEGER NOT NULL,
  boot_id TEXT,
  host_name TEXT NOT NULL,
  kernel_release TEXT NOT NULL,
  machine TEXT NOT NULL,
  clock_ticks_per_second INTEGER NOT NULL,
  program_version TEXT NOT NULL,
  recorder_pid INTEGER NOT NULL,
  recorder_uid INTEGER NOT NULL,
  recorder_login_uid INTEGER,
  interval_ms INTEGER NOT NULL,
  options TEXT NOT NULL,
  keeps_texts INTEGER NOT NULL,
  redacted TEXT,
  note TEXT
) STRICT;

CREATE TABLE recording_end (
  recording INTEGER PRIMARY KEY,
  ended_at_ns INTEGER NOT NULL,
  reason TEXT NOT NULL,
  last_commit_us INTEGER
) STRICT;

CREATE TABLE snapshot (
  id INTEGER PRIMARY KEY,
  recording INTEGER NOT NULL,
  keyframe INTEGER NOT NULL,
  is_burst INTEGER NOT NULL,
  wall_ns INTEGER NOT NULL,
  monotonic_ns INTEGER NOT NULL,
  boottime_ns INTEGER NOT NULL,
  late_us INTEGER NOT NULL,
  missed_before INTEGER NOT NULL,
  processes_us INTEGER NOT NULL,
  fds_us INTEGER NOT NULL,
  tables_us INTEGER NOT NULL,
  second_look_us INTEGER NOT NULL,
  store_us INTEGER NOT NULL,
  cpu_us INTEGER NOT NULL,
  stored_bytes INTEGER NOT NULL,
  previous_commit_us INTEGER,
  files_allocated INTEGER,
  files_maximum INTEGER,
  file_max INTEGER,
  nr_open INTEGER,
  uptime_ms INTEGER
) STRICT;

CREATE TABLE delay (
  snapshot INTEGER NOT NULL,
  reason TEXT NOT NULL,
  missed INTEGER NOT NULL
) STRICT;

CREATE TABLE recorder_event (
  id INTEGER PRIMARY KEY,
  recording INTEGER NOT NULL,
  wall_ns INTEGER NOT NULL,
  boottime_ns INTEGER NOT NULL,
  kind TEXT NOT NULL,
  detail TEXT
) STRICT;

CREATE TABLE dropped (
  reason TEXT NOT NULL,
  snapshots INTEGER NOT NULL,
  first_wall_ns INTEGER NOT NULL,
  last_wall_ns INTEGER NOT NULL,
  last_snapshot INTEGER NOT NULL
) STRICT;

CREATE TABLE chain (
  id INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  subject INTEGER NOT NULL,
  previous BLOB NOT NULL,
  value BLOB NOT NULL
) STRICT;

CREATE TABLE verbatim (
  snapshot INTEGER NOT NULL,
  part INTEGER NOT NULL,
  base INTEGER,
  size INTEGER NOT NULL,
  digest BLOB NOT NULL,
  frame BLOB NOT NULL
) STRICT;

CREATE TABLE text (
  id INTEGER PRIMARY KEY,
  snapshot INTEGER NOT NULL,
  value BLOB NOT NULL
) STRICT;

CREATE TABLE address (
  id INTEGER PRIMARY KEY,
  snapshot INTEGER NOT NULL,
  value BLOB NOT NULL
) STRICT;

CREATE TABLE failure (
  snapshot INTEGER NOT NULL,
  operation TEXT NOT NULL,
  subject TEXT NOT NULL,
  pid INTEGER,
  errno INTEGER,
  detail TEXT,
  count INTEGER NOT NULL
) STRICT;

CREATE TABLE process (
  id INTEGER PRIMARY KEY,
  recording INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  start_ticks INTEGER NOT NULL
) STRICT;

CREATE TABLE process_change (
  snapshot INTEGER NOT NULL,
  process INTEGER NOT NULL,
  change INTEGER NOT NULL,
  fd_list_status INTEGER,
  parent_pid INTEGER,
  comm INTEGER,
  exe INTEGER,
  cmdline INTEGER,
  cgroup INTEGER,
  real_uid INTEGER,
  effective_uid INTEGER,
  netns INTEGER
) STRICT;

CREATE TABLE limit_change (
  snapshot INTEGER NOT NULL,
  process INTEGER NOT NULL,
  change INTEGER NOT NULL,
  resource INTEGER NOT NULL,
  soft INTEGER,
  hard INTEGER,
  unit INTEGER
) STRICT;

CREATE TABLE fd_change (
  snapshot INTEGER NOT NULL,
  process INTEGER NOT NULL,
  fd INTEGER NOT NULL,
  change INTEGER NOT NULL,
  link_type INTEGER,
  link_number INTEGER,
  link_text INTEGER,
  protocol INTEGER,
  flags INTEGER,
  mount_id INTEGER,
  inode INTEGER,
  file_type INTEGER,
  link_count INTEGER,
  detail INTEGER
) STRICT;

CREATE TABLE fd_position_change (
  snapshot INTEGER NOT NULL,
  process INTEGER NOT NULL,
  fd INTEGER NOT NULL,
  position INTEGER NOT NULL
) STRICT;

CREATE TABLE epoll_watch_change (
  snapshot INTEGER NOT NULL,
  process INTEGER NOT NULL,
  fd INTEGER NOT NULL,
  change INTEGER NOT NULL,
  watched_fd INTEGER NOT NULL,
  inode INTEGER,
  device INTEGER,
  events INTEGER,
  data INTEGER,
  position INTEGER
) STRICT;

CREATE TABLE second_look (
  snapshot INTEGER NOT NULL,
  process INTEGER NOT NULL,
  fd INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  table_reads INTEGER NOT NULL,
  errno INTEGER
) STRICT;

CREATE TABLE autopsy (
  snapshot INTEGER NOT NULL,
  process INTEGER NOT NULL,
  fd INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  asked_at_ns INTEGER NOT NULL,
  state INTEGER NOT NULL,
  local_address INTEGER,
  local_port INTEGER,
  remote_address INTEGER,
  remote_port INTEGER,
  peer_errno INTEGER,
  netns_inode INTEGER,
  options INTEGER NOT NULL,
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
) STRICT;

CREATE TABLE netns (
  id INTEGER PRIMARY KEY,
  recording INTEGER NOT NULL,
  inode INTEGER NOT NULL
) STRICT;

CREATE TABLE net_table_change (
  snapshot INTEGER NOT NULL,
  netns INTEGER NOT NULL,
  net_table INTEGER NOT NULL,
  status INTEGER NOT NULL
) STRICT;

CREATE TABLE inet_change (
  snapshot INTEGER NOT NULL,
  netns INTEGER NOT NULL,
  net_table INTEGER NOT NULL,
  change INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  local_address INTEGER NOT NULL,
  local_port INTEGER NOT NULL,
  remote_address INTEGER NOT NULL,
  remote_port INTEGER NOT NULL,
  state INTEGER,
  uid INTEGER
) STRICT;

CREATE TABLE inet_gone (
  snapshot INTEGER NOT NULL,
  inode INTEGER NOT NULL
) STRICT;

CREATE TABLE inet_queue_change (
  snapshot INTEGER NOT NULL,
  netns INTEGER NOT NULL,
  net_table INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  tx_queue INTEGER NOT NULL,
  rx_queue INTEGER NOT NULL,
  timer INTEGER NOT NULL,
  retransmits INTEGER NOT NULL,
  probes INTEGER NOT NULL,
  drops INTEGER
) STRICT;

CREATE TABLE time_wait_change (
  snapshot INTEGER NOT NULL,
  netns INTEGER NOT NULL,
  net_table INTEGER NOT NULL,
  local_port INTEGER,
  count INTEGER NOT NULL
) STRICT;

CREATE TABLE unix_change (
  snapshot INTEGER NOT NULL,
  netns INTEGER NOT NULL,
  change INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  path INTEGER NOT NULL,
  type INTEGER NOT NULL,
  state INTEGER NOT NULL,
  flags INTEGER,
  reference_count INTEGER,
  row_count INTEGER
) STRICT;

CREATE TABLE netlink_change (
  snapshot INTEGER NOT NULL,
  netns INTEGER NOT NULL,
  change INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  protocol INTEGER NOT NULL,
  port_id INTEGER NOT NULL,
  groups INTEGER,
  rx_queue INTEGER,
  tx_queue INTEGER,
  drops INTEGER
) STRICT;

CREATE TABLE packet_change (
  snapshot INTEGER NOT NULL,
  netns INTEGER NOT NULL,
  change INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  type INTEGER,
  protocol INTEGER,
  interface INTEGER,
  running INTEGER,
  rx_queue INTEGER,
  uid INTEGER
) STRICT;

CREATE TABLE sockstat_change (
  snapshot INTEGER NOT NULL,
  netns INTEGER NOT NULL,
  net_table INTEGER NOT NULL,
  change INTEGER NOT NULL,
  name TEXT NOT NULL,
  value INTEGER
) STRICT;
