#include "analyze/report/svg.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/core.h>

#include "analyze/report/svg_plot.h"
#include "analyze/report/words.h"

namespace fdmortem {
namespace {

constexpr double kPlotHeight = 280;
constexpr size_t kColours = 7;
/// Lines of text beside a plot are so far apart at least.
constexpr double kLabelDistance = 17;
/// Marks nearer to each other than this are one.
constexpr double kMarkDistance = 6;
/// More marks than these would hide what they are on: then they are ticks above it.
constexpr size_t kMaximumLines = 8;

TimeAxis recordingOf(const Report& report, const ProcessReport& process) {
  TimeAxis range{.from_ns = process.counts.front().wall_ns, .to_ns = process.counts.back().wall_ns};
  for (const Coverage& coverage : report.coverage) {
    if (coverage.database != process.database || coverage.last_ns <= coverage.first_ns) continue;
    range.from_ns = std::min(range.from_ns, coverage.first_ns);
    range.to_ns = std::max(range.to_ns, coverage.last_ns);
  }
  return range;
}

/// Of a note as much as there is room for above a chart.
std::string labelOf(const MarkReport& note) {
  constexpr size_t kMaximumBytes = 28;
  std::string text = note.text.substr(0, kMaximumBytes);
  if (text.size() == note.text.size()) return text;
  // Not within a character.
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80)
    text.pop_back();
  if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0x80) text.pop_back();
  return text + "...";
}

/// What logs say: lines, of those close together one; if there are many, ticks above the chart.
void addLogMarks(SvgPlot& plot, const Report& report, const ProcessReport& process) {
  double last = -kMarkDistance;
  std::vector<const MarkReport*> shown;
  for (const MarkReport& mark : report.marks) {
    if (mark.database != process.database || mark.source.empty() || mark.kind == "restart")
      continue;
    const double place = plot.x(mark.at_ns);
    if (place - last < kMarkDistance) continue;
    last = place;
    shown.push_back(&mark);
  }
  for (size_t i = 0; i < shown.size(); ++i) {
    if (i > 0 && shown.size() > kMaximumLines) {
      plot.tick(shown[i]->at_ns, "mark");
    } else {
      plot.mark(shown[i]->at_ns, i > 0 ? "" : "log", "mark");
    }
  }
}

/// Restarts with their word, and each note by hand with its text, where that covers no other.
void addMarks(SvgPlot& plot, const Report& report, const ProcessReport& process) {
  constexpr double kCharacter = 7;
  addLogMarks(plot, report, process);
  double labelled_to = 0;
  for (const MarkReport& mark : report.marks) {
    const bool is_restart = mark.kind == "restart";
    if (mark.database != process.database || (!mark.source.empty() && !is_restart)) continue;
    std::string label = is_restart ? "restart" : labelOf(mark);
    const double place = plot.x(mark.at_ns);
    const double width = kCharacter * static_cast<double>(label.size());
    // Behind the middle a label is before its line.
    const double from = place > (plot.left() + plot.right()) / 2 ? place - width : place;
    if (from < labelled_to && !is_restart) {
      label.clear();
    } else {
      labelled_to = from + width;
    }
    plot.mark(mark.at_ns, label, is_restart ? "restart" : "mark");
  }
}

/// Consecutive samples between which nothing is missing: [first, last].
std::vector<std::pair<size_t, size_t>> stretchesOf(const ProcessReport& process) {
  std::vector<std::pair<size_t, size_t>> stretches;
  for (size_t i = 0; i < process.counts.size(); ++i) {
    if (i == 0 || process.counts[i].stretch != process.counts[i - 1].stretch) {
      stretches.emplace_back(i, i);
    }
    stretches.back().second = i;
  }
  return stretches;
}

/// What was not seen is a grey area, never a line from one side to the other.
void addGaps(SvgPlot& plot, const ProcessReport& process) {
  const auto stretches = stretchesOf(process);
  for (size_t i = 1; i < stretches.size(); ++i) {
    const double from = plot.x(process.counts[stretches[i - 1].second].wall_ns);
    const double to = plot.x(process.counts[stretches[i].first].wall_ns);
    plot.add(fmt::format("<rect class=\"unseen\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
                         coordinate(from), coordinate(plot.top()), coordinate(to - from),
                         coordinate(plot.bottom() - plot.top())));
    if (to - from > 60) plot.text((from + to) / 2, plot.bottom() - 8, "not seen", "note", "middle");
  }
}

/// Steps from one snapshot to the next, over one stretch: a path without its first M.
template <class Count>
std::string steps(const SvgPlot& plot, const ProcessReport& process, size_t first, size_t last,
                  Count count) {
  std::string path = fmt::format("{} {}", coordinate(plot.x(process.counts[first].wall_ns)),
                                 coordinate(plot.y(static_cast<double>(count(first)))));
  for (size_t i = first + 1; i <= last; ++i) {
    path += "H" + coordinate(plot.x(process.counts[i].wall_ns));
    if (count(i) != count(i - 1)) {
      path += "V" + coordinate(plot.y(static_cast<double>(count(i))));
    }
  }
  return path;
}

/// The same from the last to the first, for the lower edge of an area.
template <class Count>
std::string stepsBack(const SvgPlot& plot, const ProcessReport& process, size_t first, size_t last,
                      Count count) {
  std::string path = fmt::format("V{}", coordinate(plot.y(static_cast<double>(count(last)))));
  for (size_t i = last; i > first; --i) {
    if (count(i) != count(i - 1)) {
      path += "V" + coordinate(plot.y(static_cast<double>(count(i - 1))));
    }
    path += "H" + coordinate(plot.x(process.counts[i - 1].wall_ns));
  }
  return path + "Z";
}

void addLimit(SvgPlot& plot, const ProcessReport& process) {
  std::optional<double> label_y;
  for (size_t i = 0; i < process.counts.size(); ++i) {
    const auto& limit = process.counts[i].soft_limit;
    if (!limitIsInSight(process, limit)) continue;
    const size_t next = std::min(i + 1, process.counts.size() - 1);
    label_y = plot.y(static_cast<double>(*limit));
    plot.add(fmt::format("<path class=\"limit\" d=\"M{} {}H{}\"/>",
                         coordinate(plot.x(process.counts[i].wall_ns)), coordinate(*label_y),
                         coordinate(plot.x(process.counts[next].wall_ns))));
  }
  if (label_y && limitIsInSight(process, process.soft_limit)) {
    plot.text(plot.left() + 6, *label_y - 7, fmt::format("limit {}", *process.soft_limit),
              "label limit-label");
  }
}

/// One path where the limit never changes: 500 pieces are much to load.
void addLimits(SvgPlot& plot, const ProcessReport& process) {
  const bool is_constant =
      std::all_of(process.counts.begin(), process.counts.end(),
                  [&](const CountAt& count) { return count.soft_limit == process.soft_limit; });
  if (!is_constant || !process.soft_limit) {
    addLimit(plot, process);
    return;
  }
  if (!limitIsInSight(process, process.soft_limit)) return;
  const double place = plot.y(static_cast<double>(*process.soft_limit));
  plot.add(fmt::format("<path class=\"limit\" d=\"M{} {}H{}\"/>", coordinate(plot.left()),
                       coordinate(place), coordinate(plot.right())));
  plot.text(plot.left() + 6, place - 7, fmt::format("limit {}", *process.soft_limit),
            "label limit-label");
}

struct SideLabel {
  double y;
  std::string text;
  std::string css_class;
};

/// Words beside the last values, moved apart where they would cover each other.
void addSideLabels(SvgPlot& plot, std::vector<SideLabel> labels) {
  std::sort(labels.begin(), labels.end(),
            [](const SideLabel& a, const SideLabel& b) { return a.y < b.y; });
  double last = plot.top() - kLabelDistance;
  for (SideLabel& label : labels) {
    label.y = std::max(label.y, last + kLabelDistance);
    last = label.y;
  }
  double next = plot.bottom() + kLabelDistance;
  for (auto label = labels.rbegin(); label != labels.rend(); ++label) {
    label->y = std::min(label->y, next - kLabelDistance);
    next = label->y;
  }
  for (const SideLabel& label : labels)
    plot.text(plot.right() + 8, label.y + 4, label.text, label.css_class);
}

/// To the right of the last values.
double roomForLabels(const std::vector<StackedPart>& parts) {
  constexpr double kCharacter = 8.2;  // of the widest face that a system may have
  constexpr double kLeast = 124, kMost = 220;
  size_t longest = 0;
  for (const StackedPart& part : parts) {
    if (part.counts.empty() || part.counts.back() == 0) continue;
    longest = std::max(longest, fmt::format("{} {}", part.counts.back(), part.name).size());
  }
  return std::clamp(12 + kCharacter * static_cast<double>(longest), kLeast, kMost);
}

/// Where a recording begins in a chart that begins before it.
void addBegins(SvgPlot& plot, const Report& report, const ProcessReport& process,
               const TimeAxis& range) {
  for (const Coverage& coverage : report.coverage) {
    if (coverage.database != process.database || coverage.first_ns <= range.from_ns) continue;
    const bool is_single = coverage.first_ns == coverage.last_ns;
    plot.mark(coverage.first_ns, is_single ? "the snapshot" : "recording begins", "restart");
  }
}

std::string spanInWords(const ProcessReport& process) {
  return fmt::format("from {} to {}", shortTime(process.counts.front().taken_at),
                     shortTime(process.counts.back().taken_at));
}

/// Of all parts together.
int64_t highestSum(const std::vector<StackedPart>& parts, size_t count) {
  int64_t highest = 0;
  for (size_t i = 0; i < count; ++i) {
    int64_t sum = 0;
    for (const StackedPart& part : parts)
      sum += part.counts.at(i);
    highest = std::max(highest, sum);
  }
  return highest;
}

/// A part on top of those `below`, which it then is one of. Its label, if any of it is left at the
/// end.
std::optional<SideLabel> addPart(SvgPlot& plot, const ProcessReport& process,
                                 const StackedPart& part, std::vector<int64_t>& below) {
  std::vector<int64_t> above = below;
  for (size_t i = 0; i < above.size(); ++i)
    above[i] += part.counts[i];
  for (const auto& [first, last] : stretchesOf(process)) {
    plot.add(
        fmt::format("<path class=\"part {}\" d=\"M{}{}\"/>", part.css_class,
                    steps(plot, process, first, last, [&](size_t i) { return above[i]; }),
                    stepsBack(plot, process, first, last, [&](size_t i) { return below[i]; })));
  }
  below.swap(above);
  const int64_t at_end = part.counts.back();
  if (at_end <= 0) return {};
  const double upper = plot.y(static_cast<double>(below.back()));
  const double lower = plot.y(static_cast<double>(above.back()));
  return SideLabel{(upper + lower) / 2, fmt::format("{} {}", at_end, part.name), "label side"};
}

// --- lifetimes ---

constexpr double kLifetimeRow = 15;
constexpr double kLifetimeBar = 7;

/// When an fd was first known of: its connection can have carried data before it was recorded.
int64_t startOf(const Lifetime& life) {
  return std::min(life.first_ns, life.last_data_ns.value_or(life.first_ns));
}

TimeAxis rangeOf(const std::vector<Lifetime>& lifetimes) {
  TimeAxis range{.from_ns = lifetimes.front().first_ns, .to_ns = lifetimes.front().last_ns};
  for (const Lifetime& life : lifetimes) {
    range.from_ns = std::min(range.from_ns, startOf(life));
    range.to_ns = std::max(range.to_ns, life.last_ns);
  }
  return range;
}

void addLifetimeLabels(SvgPlot& plot, const Lifetime& life, double row, bool has_short_label) {
  const double right = plot.left() - 8;
  if (has_short_label) plot.text(right, row + 4, fmt::format("fd {}", life.fd), "row short", "end");
  plot.text(right, row + 4,
            fmt::format("fd {}, {}", life.fd, plainAddress(life.remote.value_or("peer unknown"))),
            "row long", "end");
}

void addLifetime(SvgPlot& plot, const Lifetime& life, double row) {
  const auto bar = [&](const char* css_class, int64_t from_ns, int64_t to_ns) {
    const double from = plot.x(from_ns);
    plot.add(fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
                         css_class, coordinate(from), coordinate(row - kLifetimeBar / 2),
                         coordinate(std::max(plot.x(to_ns) - from, 1.5)),
                         coordinate(kLifetimeBar)));
  };
  plot.add(fmt::format("<path class=\"life\" d=\"M{} {}H{}\"/>", coordinate(plot.x(startOf(life))),
                       coordinate(row), coordinate(plot.x(life.last_ns))));
  if (life.connection_last_ns) bar("alive", life.first_ns, *life.connection_last_ns);
  bar("dead", life.since_ns, life.last_ns);
  if (life.last_data_ns) {
    plot.add(fmt::format("<circle class=\"data\" cx=\"{}\" cy=\"{}\" r=\"3.5\"/>",
                         coordinate(plot.x(*life.last_data_ns)), coordinate(row)));
  }
}

}  // namespace

std::string fdsChart(const std::string& id, const Report& report, const ProcessReport& process) {
  if (process.counts.size() < 2) return {};
  SvgPlot plot(id, kPlotHeight, recordingOf(report, process),
               static_cast<double>(chartTop(process)));
  plot.valueAxis();
  addGaps(plot, process);
  const auto fds = [&](size_t i) { return process.counts[i].fds; };
  const auto zero = [](size_t) { return int64_t{0}; };
  for (const auto& [first, last] : stretchesOf(process)) {
    const std::string line = steps(plot, process, first, last, fds);
    plot.add(fmt::format("<path class=\"area\" d=\"M{}{}\"/>", line,
                         stepsBack(plot, process, first, last, zero)));
    plot.add(fmt::format("<path class=\"line\" d=\"M{}\"/>", line));
  }
  addLimits(plot, process);
  addMarks(plot, report, process);
  plot.timeAxis();
  plot.text(plot.x(process.counts.back().wall_ns) + 8,
            plot.y(static_cast<double>(process.fds_last)) + 5,
            fmt::format("{} fds", process.fds_last), "label line-label");
  return plot.render(
      fmt::format("Open fds of {} over time", nameOf(process)),
      fmt::format("{} {} fds at first, {} at the end, at most {}{}.", spanInWords(process),
                  process.fds_first, process.fds_last, process.fds_peak,
                  process.soft_limit ? fmt::format("; the soft limit is {}", *process.soft_limit)
                                     : std::string()));
}

std::string stackedChart(const std::string& id, const Report& report, const ProcessReport& process,
                         const std::vector<StackedPart>& parts, std::string_view title) {
  if (process.counts.size() < 2 || parts.empty()) return {};
  SvgPlot plot(id, kPlotHeight, recordingOf(report, process),
               static_cast<double>(highestSum(parts, process.counts.size())),
               {.right = roomForLabels(parts)});
  plot.valueAxis();
  std::vector<SideLabel> labels;
  std::string description = spanInWords(process) + ", at the end:";
  std::vector<int64_t> below(process.counts.size(), 0);
  for (const StackedPart& part : parts) {
    if (auto label = addPart(plot, process, part, below)) labels.push_back(std::move(*label));
    description += fmt::format(" {} {},", part.counts.back(), part.name);
  }
  description.back() = '.';
  addGaps(plot, process);
  addMarks(plot, report, process);
  plot.timeAxis();
  // What ended earlier has its labels at its own end.
  if (process.counts.back().wall_ns >= recordingOf(report, process).to_ns)
    addSideLabels(plot, std::move(labels));
  return plot.render(title, description);
}

std::vector<StackedPart> kindParts(const ProcessReport& process) {
  std::vector<StackedPart> parts;
  for (const PartOverTime& kind : process.kinds_over_time) {
    if (parts.size() == kColours) {
      parts.back().name = "others";
      for (size_t i = 0; i < kind.counts.size(); ++i)
        parts.back().counts[i] += kind.counts[i];
      continue;
    }
    parts.push_back({kind.name, fmt::format("c{}", parts.size()), kind.counts});
  }
  return parts;
}

std::vector<StackedPart> verdictParts(const ProcessReport& process) {
  static constexpr std::array<std::string_view, 9> kOrder = {
      "outlived",  "peer-closed", "connect-failed", "never-connected", "unlisted", "connected",
      "listening", "closing",     "other"};
  std::vector<StackedPart> parts;
  for (const std::string_view verdict : kOrder) {
    for (const PartOverTime& part : process.verdicts_over_time) {
      if (part.name == verdict) parts.push_back({part.name, "v-" + part.name, part.counts});
    }
  }
  return parts;
}

std::string lifetimesChart(const std::string& id, const Report& report,
                           const ProcessReport& process) {
  if (process.lifetimes.empty()) return {};
  const PlotMargins margins{.left = 190, .right = 16, .top = 30, .bottom = 46};
  const TimeAxis range = rangeOf(process.lifetimes);
  SvgPlot plot(
      id,
      margins.top + margins.bottom + kLifetimeRow * static_cast<double>(process.lifetimes.size()),
      range, 1, margins);
  double row = margins.top + kLifetimeRow / 2;
  bool has_short_label = true;  // on a narrow page there is room for that of every second row
  for (const Lifetime& life : process.lifetimes) {
    addLifetimeLabels(plot, life, row, has_short_label);
    addLifetime(plot, life, row);
    has_short_label = !has_short_label;
    row += kLifetimeRow;
  }
  addBegins(plot, report, process, range);
  plot.timeAxis();
  return plot.render(
      fmt::format("Lifetimes of {} fds that outlived their connections", process.lifetimes.size()),
      "One row an fd: when its connection was listed, from when on it was seen without, and when "
      "it "
      "last carried data. The table has the same.");
}

std::string lastDataChart(const std::string& id, const Report& report,
                          const ProcessReport& process) {
  if (process.last_data.empty()) return {};
  int64_t most = 0;
  int64_t total = 0;
  for (const LastDataBucket& bucket : process.last_data) {
    most = std::max(most, bucket.count);
    total += bucket.count;
  }
  TimeAxis range{.from_ns = process.last_data.front().from_ns,
                 .to_ns = process.last_data.back().to_ns};
  for (const Coverage& coverage : report.coverage) {
    if (coverage.database == process.database)
      range.to_ns = std::max(range.to_ns, coverage.last_ns);
  }
  SvgPlot plot(id, kPlotHeight, range, static_cast<double>(most), {.right = 30});
  plot.valueAxis();
  for (const LastDataBucket& bucket : process.last_data) {
    const double from = plot.x(bucket.from_ns) + 1;
    const double top = plot.y(static_cast<double>(bucket.count));
    plot.add(
        fmt::format("<rect class=\"v-outlived\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
                    coordinate(from), coordinate(top),
                    coordinate(std::max(plot.x(bucket.to_ns) - 1 - from, 1.0)),
                    coordinate(plot.bottom() - top)));
  }
  addBegins(plot, report, process, range);
  plot.timeAxis();
  return plot.render(
      fmt::format("When {} dead sockets last carried data", total),
      fmt::format("From {} to {}, at most {} in one of {} stretches of time.",
                  shortTime(process.last_data.front().from), shortTime(process.last_data.back().to),
                  most, process.last_data.size()));
}

}  // namespace fdmortem
