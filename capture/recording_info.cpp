#include "capture/recording_info.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "capture/collect/collector.h"
#include "schema/readers/host.h"

namespace fdmortem {
namespace {

/// Who logged in, whatever he became since; empty if nobody did (-1) or the kernel does not tell.
std::optional<uint32_t> loginUid() {
  std::ifstream file("/proc/self/loginuid");
  uint32_t uid = 0;
  if (!(file >> uid) || uid == std::numeric_limits<uint32_t>::max()) return {};
  return uid;
}

}  // namespace

RecordingInfo describeRecording(const RecordOptions& options, const ProcSource& source) {
  RecordingInfo info;
  info.started_at_ns = readClocks().wall_ns;
  std::string text;
  if (ProcSource::read(source.root(), "sys/kernel/random/boot_id", text) == 0) {
    if (auto boot_id = parseBootId(text)) info.boot_id = std::move(*boot_id);
  }
  utsname system{};
  if (uname(&system) != 0) throw std::system_error(errno, std::generic_category(), "uname");
  info.host_name = system.nodename;
  info.kernel_release = system.release;
  info.machine = system.machine;
  info.clock_ticks_per_second = sysconf(_SC_CLK_TCK);
  info.recorder_pid = getpid();
  info.recorder_uid = getuid();
  info.interval_ms = options.interval.count();
  info.options = options.arguments;
  info.keeps_texts = options.keeps_texts;
  info.recorder_login_uid = loginUid();
  info.note = options.note;
  return info;
}

RetentionLimits retentionOf(const RecordOptions& options) {
  RetentionLimits limits{.max_bytes = options.max_size_bytes};
  if (options.keep) limits.keep_ns = options.keep->count() * 1'000'000;
  return limits;
}

}  // namespace fdmortem
