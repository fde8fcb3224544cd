// Tables of results as text: for people, and for programs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/analysis.h"

namespace fdmortem {

enum class ListingFormat { Table, Json, Csv, Ndjson };

/// Renders `table`. In JSON the columns `open_at_end` and `leak` are booleans and `watched_by` and
/// `events` are arrays, as README.md has them; columns whose name begins with '_' are left out of
/// it. CSV is RFC 4180, and a text that a spreadsheet would take for a formula gets a ' before it.
/// The table for people is aligned, with `-` for what is not known. Everything shown is printable:
/// names were made so when they were imported, and what a user's own SQL makes of them is made so
/// here.
std::string renderListing(const ResultTable& table, ListingFormat format);

/// One line of it, with its end: of CSV (also for the names of the columns), of NDJSON.
std::string renderCsvRow(const std::vector<Value>& row);
std::string renderNdjsonRow(const std::vector<std::string>& columns, const std::vector<Value>& row);

/// Characters of UTF-8, as far as a terminal's columns are one each.
size_t columnsOf(std::string_view text);

}  // namespace fdmortem
