// The rows of a socket table in the form in which they are compared and stored: sorted by what
// identifies them, without doubles.
#pragma once

#include <vector>

#include "schema/records.h"

namespace fdmortem {

/// Sorts rows by (inode, local, remote). Of those alike, which the kernel can list twice while a
/// table changes, the last stays.
void sortInetRows(std::vector<InetRow>& rows);

/// Takes the TIME_WAIT rows out and counts them, by local port.
std::vector<TimeWaitCount> takeTimeWait(std::vector<InetRow>& rows);

/// Sorts rows by (inode, path, type, state) and counts those alike that have inode 0.
std::vector<UnixRecord> countUnixRows(std::vector<UnixRow> rows);

/// By (inode, protocol, port id), inode and name; of those alike the last stays.
void sortNetlinkRows(std::vector<NetlinkRow>& rows);
void sortPacketRows(std::vector<PacketRow>& rows);
void sortSockstat(std::vector<SockstatValue>& values);

}  // namespace fdmortem
