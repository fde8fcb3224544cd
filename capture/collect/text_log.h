// Reads texts of the proc file system, and keeps them as they were for the archive.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "capture/collect/proc_source.h"
#include "capture/redaction.h"
#include "capture/text_content.h"
#include "schema/evidence/text_bundle.h"

namespace fdmortem {

/// Which of the texts that are read are kept.
struct TextPolicy {
  bool keeps_texts = false;
  bool keeps_environ = false;
  Redaction redaction;  ///< texts with anything of what is redacted are not kept
};

/// The texts of one reading of everything.
class TextLog {
 public:
  explicit TextLog(const TextPolicy& policy);
  /// With memory for about so many bytes: that of `spare`, if it fits. A kernel page that is used
  /// again need not be mapped and cleared.
  TextLog(const TextPolicy& policy, size_t expected_bytes, TextBundle spare);

  /// The file `name` below `directory` whole, or the errno; kept under `path`. The text is valid
  /// until the next one is read.
  OrErrno<std::string_view> read(int directory, const char* name, std::string_view path);
  /// The same of a file that the kernel gives in one piece, see ProcSource::readWhole().
  OrErrno<std::string_view> readWhole(int directory, const char* name, std::string_view path);
  /// The same of a table below net.
  OrErrno<std::string_view> readTable(int directory, const char* name, std::string_view path);

  /// Whether such texts are kept at all.
  bool keeps(TextContent content = TextContent::Plain) const;

  /// Keeps a text that was read by other means.
  void keep(std::string_view path, std::string_view text);

  /// True for the first call with that path.
  bool isNew(const std::string& path) { return paths_.insert(path).second; }

  /// What was kept up to now; to come back to with dropAfter().
  size_t mark() const { return bundle_.bytes().size(); }
  void dropAfter(size_t mark) { bundle_.cutTo(mark); }

  /// There was more than an archive takes: nothing is kept then.
  bool isTooLong() const;

  TextBundle take() { return std::move(bundle_); }

 private:
  using Append = int (*)(int, const char*, std::string&);

  OrErrno<std::string_view> readBy(Append append, int directory, const char* name,
                                   std::string_view path);
  bool hasRoom();

  const TextPolicy& policy_;
  TextBundle bundle_;
  std::string text_;  ///< the last one that is not kept
  std::set<std::string> paths_;
  bool is_too_long_ = false;
};

}  // namespace fdmortem
