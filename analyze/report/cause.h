// What is the matter with a process, as far as the findings tell.
#pragma once

#include <cstdint>
#include <string>

#include "analyze/report/report.h"

namespace fdmortem {

enum class Cause {
  OutlivedFds,
  CloseWait,
  HalfClosed,
  Unanswered,
  UnreadData,
  Inherited,
  Kind,
  Pool,
  Idle,
  LiveClients,
  Limit,
  Growth,
  Undecided,  ///< sockets that are dead, and nobody can tell yet whether they stay
  None
};

/// By the findings that are more than information: the one that is about the most fds, where what
/// is certain (sockets without a peer) counts twice.
Cause causeOf(const Report& report, const ProcessReport& process);

/// The sentence that a report on it begins with, without its full stop; empty for Cause::None.
std::string verdictOf(const Report& report, const ProcessReport& process);

/// Whether a finding on dead sockets tells of ones that are closed after all.
bool isLate(const Finding* finding);
/// Or of ones that stay and do not become more.
bool isHeld(const Finding* finding);

/// The finding that tells of a cause; nullptr if it is none of one finding.
const Finding* findingBehind(const Report& report, const ProcessReport& process, Cause cause);

/// Its fds that have outlived their connections for longer than the grace period.
int64_t leaksOf(const ProcessReport& process);

/// Whether it was recorded for so short that no fd of it can be seen to outlive its connection for
/// longer than the grace period.
bool isShorterThanGrace(const Report& report, const ProcessReport& process);

/// Its connections whose peers have not answered for longer than the grace period.
int64_t unansweredOf(const Report& report, const ProcessReport& process);

/// Its ESTABLISHED connections that were accepted.
int64_t liveClientsOf(const ProcessReport& process);

/// Its soft limit of open files; "?" if that is not known.
std::string limitOf(const ProcessReport& process);

}  // namespace fdmortem
