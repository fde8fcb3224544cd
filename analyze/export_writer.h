// Tables written for other programs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "analyze/analysis.h"

namespace fdmortem {

enum class ExportFormat { Sqlite, Csv, Ndjson };

/// Writes tables, one after the other; the same one may come again and goes on then. All values are
/// as they are; in CSV a text that a spreadsheet would take for a formula gets a ' before it.
class ExportWriter {
 public:
  ExportWriter() = default;
  ExportWriter(const ExportWriter&) = delete;
  ExportWriter& operator=(const ExportWriter&) = delete;
  virtual ~ExportWriter() = default;

  virtual void begin(const std::string& table, const std::vector<std::string>& columns) = 0;
  /// A row of the table that was begun last.
  virtual void row(const std::vector<Value>& values) = 0;
  /// No row comes any more. Throws std::system_error or std::runtime_error if not all is written.
  virtual void finish() = 0;
};

/// Makes `path`, in a folder that is there: an SQLite file, or a folder of files, one a table.
/// Throws std::system_error or std::runtime_error, one line.
std::unique_ptr<ExportWriter> makeExportWriter(ExportFormat format, const std::string& path);

}  // namespace fdmortem
