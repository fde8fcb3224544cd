// The elements that a report as a page is put together from. All of it is escaped.
#pragma once

#include <string>
#include <string_view>

#include "analyze/report/tables.h"

namespace fdmortem {

/// A table that scrolls by itself where it is wider than the page, also by keyboard.
std::string tableElement(const ResultTable& table, std::string_view name);

/// Times in it are marked as such.
std::string paragraph(std::string_view text, std::string_view css_class = {});

/// A paragraph of an explanation, with the word that tells how sure it is.
std::string explanationElement(std::string_view text);

/// What is shown when it is asked for. `of` tells who hears the page of what the content is; the
/// place tells who sees it. `content` is HTML.
std::string folded(std::string_view summary, std::string_view of, const std::string& content,
                   std::string_view css_class = {});

/// The command that gives the numbers again.
std::string proofElement(const Report& report, const std::string& database,
                         const std::string& query);

/// A table of a report with its heading, its note and its proof.
std::string titledTable(const Report& report, const ReportTable& entry,
                        const std::string& database);

}  // namespace fdmortem
