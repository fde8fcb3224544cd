// A plot over time as SVG: scales, axes and the frame. Colours and sizes of text come from the
// page's style sheet, by classes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fdmortem {

/// A stretch of the wall clock in ns.
struct TimeAxis {
  int64_t from_ns = 0;
  int64_t to_ns = 0;
};

struct PlotMargins {
  double left = 58;
  double right = 92;  ///< room for labels beside the last values
  double top = 30;
  double bottom = 46;
};

class SvgPlot {
 public:
  /// `id` is unique in the page; `title` and `description` are for who can't see the plot. Values
  /// go from 0 to `top_value`, or to a round number above it.
  SvgPlot(std::string id, double height, TimeAxis range, double top_value,
          PlotMargins margins = {});

  double left() const { return margins_.left; }
  double right() const { return kWidth - margins_.right; }
  double top() const { return margins_.top; }
  double bottom() const { return height_ - margins_.bottom; }
  double height() const { return height_; }

  double x(int64_t wall_ns) const;
  double y(double value) const;

  void timeAxis();
  void valueAxis();
  /// A vertical line through the plot with a word at its top.
  void mark(int64_t wall_ns, std::string_view label, std::string_view css_class);
  /// A short one above the plot, without a word.
  void tick(int64_t wall_ns, std::string_view css_class);

  void add(const std::string& element) { body_ += element; }
  /// `anchor`: start, middle, end.
  void text(double x, double y, std::string_view words, std::string_view css_class,
            std::string_view anchor = "start");

  /// The whole element.
  std::string render(std::string_view title, std::string_view description) const;

  static constexpr double kWidth = 640;

 private:
  std::string id_;
  double height_;
  TimeAxis range_;
  PlotMargins margins_;
  double step_value_ = 1;
  double top_value_ = 1;
  std::string body_;
};

/// A coordinate with one decimal at most.
std::string coordinate(double value);

/// The times at which a time axis has its ticks, with their labels; not more than `maximum`.
std::vector<std::pair<int64_t, std::string>> timeTicks(TimeAxis range, size_t maximum);

}  // namespace fdmortem
