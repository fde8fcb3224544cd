#include "analyze/report/svg_plot.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/core.h>

#include "analyze/report/html_escape.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kDay = 86400;
constexpr size_t kTimeTicks = 5;
constexpr double kValueTicks = 4;

/// A round number of which `kValueTicks` or so reach the top; fds are whole.
double roundStep(double top) {
  const double raw = std::max(top / kValueTicks, 1.0);
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    if (factor * power >= raw) return factor * power;
  }
  return 10 * power;
}

}  // namespace

std::string coordinate(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

std::vector<std::pair<int64_t, std::string>> timeTicks(TimeAxis range, size_t maximum) {
  static constexpr std::array<int64_t, 20> kSteps = {
      1,   2,    5,    10,   15,    30,    60,    120,  300,      600,
      900, 1800, 3600, 7200, 10800, 21600, 43200, kDay, 2 * kDay, 7 * kDay};
  const int64_t seconds = (range.to_ns - range.from_ns) / kSecondNs;
  int64_t step = kSteps.back();
  for (const int64_t candidate : kSteps) {
    if (seconds / candidate + 1 <= static_cast<int64_t>(maximum)) {
      step = candidate;
      break;
    }
  }
  while (seconds / step + 1 > static_cast<int64_t>(maximum))
    step *= 2;
  std::vector<std::pair<int64_t, std::string>> ticks;
  const int64_t step_ns = step * kSecondNs;
  const int64_t first = (range.from_ns + step_ns - 1) / step_ns * step_ns;
  for (int64_t time = first; time <= range.to_ns; time += step_ns) {
    const std::string text = formatTime(time);
    // 2026-11-22T08:12:39.123Z
    ticks.emplace_back(time, step >= kDay ? text.substr(5, 5)
                             : step >= 60 ? text.substr(11, 5)
                                          : text.substr(11, 8));
  }
  return ticks;
}

SvgPlot::SvgPlot(std::string id, double height, TimeAxis range, double top_value,
                 PlotMargins margins)
    : id_(std::move(id)), height_(height), range_(range), margins_(margins) {
  if (range_.to_ns <= range_.from_ns) range_.to_ns = range_.from_ns + kSecondNs;
  step_value_ = roundStep(top_value);
  top_value_ = std::max(std::ceil(top_value / step_value_), 1.0) * step_value_;
}

double SvgPlot::x(int64_t wall_ns) const {
  const double part = static_cast<double>(wall_ns - range_.from_ns) /
                      static_cast<double>(range_.to_ns - range_.from_ns);
  return left() + std::clamp(part, 0.0, 1.0) * (right() - left());
}

double SvgPlot::y(double value) const {
  return bottom() - std::clamp(value / top_value_, 0.0, 1.0) * (bottom() - top());
}

void SvgPlot::timeAxis() {
  add(fmt::format("<path class=\"axis\" d=\"M{} {}H{}\"/>", coordinate(left()),
                  coordinate(bottom()), coordinate(right())));
  size_t place = 0;
  for (const auto& [time, label] : timeTicks(range_, kTimeTicks)) {
    add(fmt::format("<path class=\"axis\" d=\"M{} {}v5\"/>", coordinate(x(time)),
                    coordinate(bottom())));
    // Every other label goes where there is little room.
    text(x(time), bottom() + 20, label, place++ % 2 == 0 ? "tick" : "tick spare", "middle");
  }
  const std::string from = formatTime(range_.from_ns).substr(0, 10);
  const std::string to = formatTime(range_.to_ns).substr(0, 10);
  text(right(), bottom() + 40, from == to ? from + " UTC" : from + " to " + to + " UTC", "tick",
       "end");
}

void SvgPlot::valueAxis() {
  const auto steps = static_cast<int>(std::lround(top_value_ / step_value_));
  for (int i = 0; i <= steps; ++i) {
    const double value = i * step_value_;
    if (value > 0) {
      add(fmt::format("<path class=\"grid\" d=\"M{} {}H{}\"/>", coordinate(left()),
                      coordinate(y(value)), coordinate(right())));
    }
    text(left() - 8, y(value) + 5, fmt::format("{:.0f}", value), "tick", "end");
  }
}

void SvgPlot::mark(int64_t wall_ns, std::string_view label, std::string_view css_class) {
  if (wall_ns < range_.from_ns || wall_ns > range_.to_ns) return;
  const double place = x(wall_ns);
  add(fmt::format("<path class=\"{}\" d=\"M{} {}V{}\"/>", css_class, coordinate(place),
                  coordinate(top()), coordinate(bottom())));
  const bool is_late = place > (left() + right()) / 2;
  text(place + (is_late ? -4 : 4), top() - 8, label, "note", is_late ? "end" : "start");
}

void SvgPlot::tick(int64_t wall_ns, std::string_view css_class) {
  if (wall_ns < range_.from_ns || wall_ns > range_.to_ns) return;
  constexpr double kLength = 6;
  add(fmt::format("<path class=\"{}\" d=\"M{} {}v{}\"/>", css_class, coordinate(x(wall_ns)),
                  coordinate(top() - kLength), coordinate(kLength)));
}

void SvgPlot::text(double x, double y, std::string_view words, std::string_view css_class,
                   std::string_view anchor) {
  add(fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\"{}>{}</text>", css_class, coordinate(x),
                  coordinate(y),
                  anchor == "start" ? std::string() : fmt::format(" text-anchor=\"{}\"", anchor),
                  htmlText(words)));
}

std::string SvgPlot::render(std::string_view title, std::string_view description) const {
  return fmt::format(
      "<svg viewBox=\"0 0 {0} {1}\" role=\"img\" aria-labelledby=\"{2}-t {2}-d\">"
      "<title id=\"{2}-t\">{3}</title><desc id=\"{2}-d\">{4}</desc>{5}</svg>\n",
      coordinate(kWidth), coordinate(height_), id_, htmlText(title), htmlText(description), body_);
}

}  // namespace fdmortem
