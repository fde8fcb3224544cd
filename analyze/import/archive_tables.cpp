#include "analyze/import/archive_tables.h"

namespace fdmortem {
namespace {

constexpr int64_t kAny = std::numeric_limits<int64_t>::min();

constexpr Column kNumber{};
constexpr Column kAnyNumber{ColumnKind::Integer, false, kAny};
constexpr Column kNumberOrNull{ColumnKind::Integer, true};
constexpr Column kAnyNumberOrNull{ColumnKind::Integer, true, kAny};
constexpr Column kSnapshotId{ColumnKind::Snapshot};
constexpr Column kProcessId{ColumnKind::Process};
constexpr Column kNetnsId{ColumnKind::Netns};
constexpr Column kText{ColumnKind::Text};
constexpr Column kTextOrNull{ColumnKind::Text, true};
constexpr Column kTextId{ColumnKind::TextId};
constexpr Column kTextIdOrNull{ColumnKind::TextId, true};
constexpr Column kCmdlineOrNull{ColumnKind::Cmdline, true};
constexpr Column kEndpoint{ColumnKind::Endpoint};
constexpr Column kCount{ColumnKind::Integer, false, 0, kMaximumSum};
constexpr Column kTime{ColumnKind::Integer, false, 0, kMaximumTime};
constexpr Column kAgeMsOrNull{ColumnKind::Integer, true, 0, std::numeric_limits<uint32_t>::max()};
constexpr Column kEndpointOrNull{ColumnKind::Endpoint, true};
constexpr Column kPortOrNull{ColumnKind::Integer, true, 0, 65535};
constexpr Column kByte{ColumnKind::Integer, false, 0, 255};
constexpr Column kChange{ColumnKind::Integer, false, 0, 3};
constexpr Column kFd{ColumnKind::Integer, false, 0, std::numeric_limits<int32_t>::max()};
constexpr Column kPid{ColumnKind::Integer, false, 1, std::numeric_limits<int32_t>::max()};
constexpr Column kNetTable{ColumnKind::Integer, false, 1, 15};
constexpr Column kPort{ColumnKind::Integer, false, 0, 65535};
constexpr Column kUint32OrNull{ColumnKind::Integer, true, 0, std::numeric_limits<uint32_t>::max()};
constexpr Column kByteOrNull{ColumnKind::Integer, true, 0, 255};

}  // namespace

const std::vector<ArchiveTable>& plainTables() {
  static const std::vector<ArchiveTable> kTables = {
      {"delay", {kSnapshotId, kText, kCount}},
      {"failure", {kSnapshotId, kText, kText, kNumberOrNull, kNumberOrNull, kTextOrNull, kCount}},
      {"process_change",
       {kSnapshotId,
        kProcessId,
        kChange,
        {ColumnKind::Integer, true, 0, 4},
        kNumberOrNull,
        kTextIdOrNull,
        kTextIdOrNull,
        kCmdlineOrNull,
        kTextIdOrNull,
        kUint32OrNull,
        kUint32OrNull,
        {ColumnKind::Netns, true}}},
      {"limit_change",
       {kSnapshotId, kProcessId, kChange, kTextId, kAnyNumberOrNull, kAnyNumberOrNull,
        kTextIdOrNull}},
      {"fd_change",
       {kSnapshotId,
        kProcessId,
        kFd,
        kChange,
        {ColumnKind::Integer, true, 0, 3},
        kAnyNumberOrNull,
        kTextIdOrNull,
        kTextIdOrNull,
        kUint32OrNull,
        kAnyNumberOrNull,
        kAnyNumberOrNull,
        {ColumnKind::Integer, true, 0, 15},
        kAnyNumberOrNull,
        kTextIdOrNull},
       TableRows::Fd},
      {"fd_position_change", {kSnapshotId, kProcessId, kFd, kAnyNumber}},
      {"epoll_watch_change",
       {kSnapshotId, kProcessId, kFd, kChange, kAnyNumber, kAnyNumberOrNull, kAnyNumberOrNull,
        kUint32OrNull, kAnyNumberOrNull, kAnyNumberOrNull}},
      {"second_look",
       {kSnapshotId,
        kProcessId,
        kFd,
        {ColumnKind::Integer, false, 1, 4},
        {ColumnKind::Integer, false, 1, 2},
        kNumberOrNull}},
      {"net_table_change", {kSnapshotId, kNetnsId, kNetTable, {ColumnKind::Integer, false, 0, 4}}},
      {"inet_change",
       {kSnapshotId,
        kNetnsId,
        {ColumnKind::Integer, false, 1, 10},
        kChange,
        kNumber,
        kEndpoint,
        kPort,
        kEndpoint,
        kPort,
        kByteOrNull,
        kUint32OrNull},
       TableRows::Inet},
      {"inet_gone", {kSnapshotId, {ColumnKind::Integer, false, 1}}, TableRows::Gone},
      {"autopsy",
       {kSnapshotId,   kProcessId,       kFd,           kNumber,          kTime,
        kByte,         kEndpointOrNull,  kPortOrNull,   kEndpointOrNull,  kPortOrNull,
        kNumberOrNull, kAnyNumberOrNull, kByte,         kNumberOrNull,    kNumberOrNull,
        kAgeMsOrNull,  kAgeMsOrNull,     kAgeMsOrNull,  kAnyNumberOrNull, kAnyNumberOrNull,
        kNumberOrNull, kNumberOrNull,    kNumberOrNull, kNumberOrNull,    kNumberOrNull,
        kNumberOrNull},
       TableRows::Autopsy},
      {"inet_queue_change",
       {kSnapshotId,
        kNetnsId,
        {ColumnKind::Integer, false, 1, 10},
        kNumber,
        kNumber,
        kNumber,
        kNumber,
        kNumber,
        kNumber,
        kNumberOrNull},
       TableRows::Queue},
      {"time_wait_change",
       {kSnapshotId,
        kNetnsId,
        {ColumnKind::Integer, false, 1, 10},
        {ColumnKind::Integer, true, 0, 65535},
        kCount}},
      {"unix_change",
       {kSnapshotId, kNetnsId, kChange, kNumber, kTextId, kNumber, kNumber, kNumberOrNull,
        kNumberOrNull, kNumberOrNull}},
      {"netlink_change",
       {kSnapshotId, kNetnsId, kChange, kNumber, kNumber, kNumber, kNumberOrNull, kAnyNumberOrNull,
        kAnyNumberOrNull, kNumberOrNull}},
      {"packet_change",
       {kSnapshotId,
        kNetnsId,
        kChange,
        kNumber,
        kNumberOrNull,
        kNumberOrNull,
        kAnyNumberOrNull,
        {ColumnKind::Integer, true, 0, 1},
        kAnyNumberOrNull,
        kUint32OrNull}},
      {"sockstat_change",
       {kSnapshotId,
        kNetnsId,
        {ColumnKind::Integer, false, 14, 15},
        kChange,
        kText,
        kAnyNumberOrNull}}};
  return kTables;
}

}  // namespace fdmortem
