#include <sstream>
#include <string>

#include "analyze/import/log_marks.h"
#include "tests/fuzz/target.h"

using namespace fdmortem;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(fuzz::textOf(data, size));
  for (const bool has_year : {false, true}) {
    LogContext context{.offset_s = 3600, .recorded_ns = {}};
    if (has_year) context.recorded_ns = {1'767'225'600'000'000'000, 1'767'229'200'000'000'000};
    LogScanner scanner(context);
    std::istringstream log(text);
    fuzz::require(scanLog(log, scanner));
    const LogMarks marks = scanner.take();
    fuzz::require(marks.matched <= marks.lines && marks.without_time <= marks.matched);
    int64_t in_marks = 0;
    for (const Mark& mark : marks.marks) {
      fuzz::require(mark.count > 0 && mark.time_ns <= mark.last_ns);
      in_marks += mark.count;
    }
    fuzz::require(in_marks == marks.matched - marks.without_time);
  }
  (void)parseMark(text);
  (void)parseZone(text);
  return 0;
}
