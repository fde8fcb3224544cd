// Pseudonyms for what must not leave the host.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "schema/records.h"

namespace fdmortem {

/// What is replaced by pseudonyms.
struct Redaction {
  bool cmdline = false;    ///< command lines
  bool paths = false;      ///< of files, programs, cgroups and UNIX sockets
  bool addresses = false;  ///< Internet addresses; ports stay

  bool any() const { return cmdline || paths || addresses; }
  /// "cmdline,paths,addresses" of those that are on.
  std::string names() const;
};

/// The same value has the same pseudonym, and two values have two, for the life of this object; so
/// what belongs together can still be seen to. The key is random, lies in memory only and ends with
/// this object: nobody can find a value by trying.
class Redactor {
 public:
  /// Throws std::runtime_error if there is no randomness to be had.
  explicit Redactor(Redaction redaction);

  const Redaction& redaction() const { return redaction_; }

  /// A path with each of its names replaced, so that what lies in one folder still does. The
  /// kernel's own words stay: " (deleted)", "/memfd:", and links that are no paths
  /// (`anon_inode:[eventpoll]`, `net:[4026531840]`).
  std::string path(std::string_view path) const;
  /// The name of a UNIX socket: a path, also a relative one, or an abstract name with its `@`.
  std::string socketName(std::string_view name) const;
  /// Arguments that each end in NUL, as one that names none.
  std::string cmdline(std::string_view arguments) const;
  /// IPv4 in 240.0.0.0/4, which nobody has (RFC 1112, section 4), IPv6 in 2001:db8::/32 (RFC 3849);
  /// a mapped IPv4 address stays one. The unspecified and the loopback addresses stay as they are.
  IpAddress address(const IpAddress& address);
  /// An argument of fdcapture's own: a value with a slash is a path; as a command line all values
  /// are hidden but numbers and fdcapture's own words.
  std::string argument(const std::string& argument) const;

 private:
  using Hash = std::array<unsigned char, 16>;

  Hash hash(std::string_view value) const;
  std::string name(std::string_view value) const;
  std::array<uint8_t, 4> ipv4(const std::array<uint8_t, 4>& address);

  Redaction redaction_;
  std::array<unsigned char, 32> key_{};
  std::map<std::array<uint8_t, 4>, std::array<uint8_t, 4>> ipv4_;
  std::set<std::array<uint8_t, 4>> taken_;
};

}  // namespace fdmortem
