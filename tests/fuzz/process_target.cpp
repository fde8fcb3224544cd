#include "schema/printable.h"
#include "schema/readers/process.h"
#include "tests/fuzz/target.h"

using namespace fdmortem;

namespace {

template <class Record>
void isOneLine(const Parsed<Record>& parsed) {
  if (!parsed) fuzz::require(printable(parsed.error()) == parsed.error());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::textOf(data, size);
  const auto stat = parseProcessStat(text);
  isOneLine(stat);
  if (stat) fuzz::require(stat->comm.size() <= 63);
  isOneLine(parseProcessStatus(text));
  const auto limits = parseLimits(text);
  isOneLine(limits);
  if (limits) fuzz::require(!limits->empty() && limits->size() <= text.size());
  const auto cgroup = parseCgroup(text);
  isOneLine(cgroup);
  if (cgroup) fuzz::require(cgroup->size() <= text.size());
  isOneLine(parseNamespaceLink(text));
  return 0;
}
