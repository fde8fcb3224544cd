// The second look: what about the socket fds that no table lists?
#pragma once

#include "capture/collect/failure_log.h"
#include "capture/collect/proc_source.h"
#include "capture/collect/text_log.h"
#include "capture/snapshot.h"

namespace fdmortem {

/// Reads each socket fd of `now` that no table lists once more, and asks each one that is new for
/// its protocol. An fd that was closed or points elsewhere by then is written down, so that its
/// absence from the tables proves nothing.
///
/// Where a connection that `previous` lists is gone and its fd is not, the TCP tables of its
/// namespace are read a second time: the kernel can skip a row of a table that changes while it is
/// read. A row found then is added to `now`, and what was read to `texts`. `previous` is null in
/// the first snapshot.
///
/// With `with_autopsies` each TCP socket among them is asked what the kernel still knows of its
/// connection (autopsy.h), but for those that said all they will ever say.
void takeSecondLook(const ProcSource& source, const Snapshot* previous, Snapshot& now,
                    bool with_autopsies, TextLog& texts, FailureLog& failures);

}  // namespace fdmortem
