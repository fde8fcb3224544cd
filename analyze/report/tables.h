// The tables of a report, the same in each format for people.
#pragma once

#include <string>
#include <vector>

#include "analyze/report/report.h"

namespace fdmortem {

struct ReportTable {
  std::string id;  ///< kinds, verdicts, outlived, ...: for anchors
  std::string title;
  std::string note;  ///< what to know when reading it; may be empty
  ResultTable rows;
  size_t left_out = 0;   ///< rows that there are besides
  std::string all_rows;  ///< where to find those
  std::string query;     ///< gives the numbers again
};

/// The fds at the end: by kind, by verdict, and the peers of its connections.
std::vector<ReportTable> processTables(const ProcessReport& process);

/// What carried data last and when; empty `rows` where there is nothing to tell.
ReportTable lastDataTable(const ProcessReport& process);

/// The number of fds at so many of its snapshots.
ReportTable countsTable(const ProcessReport& process, size_t maximum_rows);

/// Connections that no recorded fd holds, and who waits in an accept queue.
std::vector<ReportTable> withoutFdTables(const WithoutFd& without_fd);

/// Restarts, lines of logs and notes by hand; a note that is on the time line of several archives
/// is there once.
ReportTable marksTable(const Report& report, size_t maximum_rows);

/// What could not be read.
ReportTable unreadableTable(const Coverage& coverage);

/// One line an archive, worst first, for several of them.
ReportTable archivesTable(const Report& report);

/// One line a process, for several of them.
ReportTable overviewTable(const Report& report, size_t maximum_rows);

}  // namespace fdmortem
