// The words that all formats of a report say the same things in. All of it is text to be escaped
// for the format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analyze/report/report.h"

namespace fdmortem {

/// "1 fd", "2 fds".
std::string plural(int64_t count, std::string_view one, std::string_view many);

/// "98 s", "12 min", "3.5 h", "9.0 days".
std::string duration(double seconds);

/// A span of milliseconds exactly, as an option takes it, with a blank: "98 s", "500 ms", "10 d".
std::string spanInWords(int64_t ms);

/// The grace period, as above.
std::string grace(const Report& report);

/// "gateway (pid 4711)".
std::string nameOf(const ProcessReport& process);

/// "is", "are"; "was", "were" of a process that has ended: nothing of it is any more.
std::string_view isOrWas(const ProcessReport& process, int64_t count);

/// A time of the report with its seconds cut off: 2026-11-22T08:12:39Z.
std::string shortTime(std::string_view time);

/// "2026-11-22T08:12:39Z (snapshot 7)".
std::string timeAndSnapshot(std::string_view time, int64_t snapshot);

/// What there is to say of a process in numbers, each with its name: seen, fds, limit, growth, ...
std::vector<std::pair<std::string, std::string>> processFacts(const ProcessReport& process);

/// Of a forecast: "between 2026-11-22T09:59:22Z and 2026-11-22T10:12:00Z", "about ..." where they
/// are the same. Empty without a forecast.
std::string exhaustionRange(const ProcessReport& process);

/// A mark's text. Where it stands for more lines of its kind, which need not say the same: "...
/// (and 3 more EMFILE lines in that second)".
std::string markInWords(const MarkReport& mark);

/// When the limit was reached, which is not known better than from one snapshot to the next:
/// "between 2026-11-22T08:12:37Z and 2026-11-22T08:12:39Z", "at or before 2026-11-22T08:12:39Z"
/// where nothing was seen before. Empty: it was not.
std::string limitReachedTime(const ProcessReport& process);

/// Whether a limit is in the charts of a process: a far one would press the curve flat.
bool limitIsInSight(const ProcessReport& process, const std::optional<int64_t>& limit);

/// The highest value of a chart of fds and of the limits in sight.
int64_t chartTop(const ProcessReport& process);

/// What to know when reading any report, a sentence or two each.
std::vector<std::string> notesOf(const Report& report);

/// "35 snapshots over 68 s, 0 missed, 0 late".
std::string coverageLine(const Report& report);

/// What there is to say of the archives that could not be read, a line each.
std::vector<std::string> unreadLines(const Report& report);

/// A note on one database, with its path before it if there are several.
std::string withPath(const Report& report, const std::string& database, const std::string& note);

/// The host that a database is of; of several databases with the name of the file.
std::string hostOf(const Report& report, std::string_view database);

/// The host that a process was recorded on, in the same way: an archive can have been continued on
/// another one.
std::string hostOf(const Report& report, const ProcessReport& process);

/// The names of all hosts, each once: "web10, web1".
std::string hostNames(const Report& report);

/// `[::ffff:192.0.2.7]:9091` as 192.0.2.7:9091: what an IPv4 peer is to an IPv6 socket. Any other
/// address as it is.
std::string plainAddress(std::string_view address);

/// How sure a statement is, as a word for programs: observed, inferred, not-known, to-do.
std::string_view keyOf(Statement::Basis basis);

/// Which of the processes have a section of their own, by their places: the first, and those with
/// findings, `most` at most.
std::vector<size_t> placesWithSection(const Report& report, size_t most);

/// Whether a table lists them as ESTABLISHED; the verdict `connected` has those in SYN_SENT too,
/// which are attempts and no connections.
bool isEstablished(const PeerGroup& group);
/// How many such connections it has at the end.
int64_t establishedOf(const ProcessReport& process);

int64_t countOf(const std::vector<NamedCount>& counts, std::string_view name);

/// How many of its fds at the end could not be looked at, so that nothing is known of what they
/// are.
int64_t unreadFdsOf(const ProcessReport& process);

/// Sockets that no table lists, of which nothing tells what they were, at the end.
int64_t unknownSocketsOf(const ProcessReport& process);

/// " (EACCES: permission denied; it takes root, ...)": why its fds, or what they are, could not be
/// read; empty if that is not told.
std::string whyUnread(const ProcessReport& process);

/// A report's findings on a process, in their order.
std::vector<const Finding*> findingsOf(const Report& report, const ProcessReport& process);

/// The finding of that id on a process; nullptr if there is none.
const Finding* findingOf(const Report& report, const ProcessReport& process, std::string_view id);

/// The worst on a process, also of those that are told of another that holds the same sockets;
/// nullptr if there is none.
const Finding* worstFindingOf(const Report& report, const ProcessReport& process);

/// The worst of an archive, its processes' ones too; nullptr if there is none.
const Finding* worstFindingOf(const Report& report, const DatabaseReport& database);

/// The paragraphs of an explanation: it is cut before "Inferred:" and "Not known:".
std::vector<std::string> paragraphs(std::string_view explanation);

/// What a shell takes for one word, or for one in double quotes.
std::string shellWord(std::string_view text);
std::string shellQuoted(std::string_view text);

/// The command that gives the numbers again: fdanalyze sql leak.db "SELECT ...".
std::string sqlCommand(const Report& report, std::string_view database, std::string_view query);

}  // namespace fdmortem
