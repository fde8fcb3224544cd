#include "capture/redaction.h"

#include <sodium.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

namespace fdmortem {
namespace {

constexpr std::string_view kDeleted = " (deleted)";
constexpr std::string_view kMemfd = "memfd:";
constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool isLocalIpv4(const std::array<uint8_t, 4>& address) {
  return address[0] == 127 || address == std::array<uint8_t, 4>{};
}

/// :: and ::1.
bool isLocalIpv6(const IpAddress& address) {
  return std::all_of(address.bytes.begin(), address.bytes.end() - 1,
                     [](uint8_t byte) { return byte == 0; }) &&
         address.bytes.back() <= 1;
}

/// A value of an option that tells nothing but itself: a number, also with a unit, or a word of
/// fdcapture's own.
bool isHarmless(std::string_view value) {
  static constexpr std::string_view kWords[] = {"",      "record",  "auto",  "always",
                                                "never", "cmdline", "paths", "addresses"};
  if (!value.empty() && value.front() >= '0' && value.front() <= '9') {
    return std::all_of(value.begin(), value.end(), [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '%';
    });
  }
  while (true) {
    const std::string_view word = value.substr(0, value.find(','));
    if (std::find(std::begin(kWords), std::end(kWords), word) == std::end(kWords)) return false;
    if (word.size() == value.size()) return true;
    value.remove_prefix(word.size() + 1);
  }
}

}  // namespace

std::string Redaction::names() const {
  std::vector<std::string_view> names;
  if (cmdline) names.emplace_back("cmdline");
  if (paths) names.emplace_back("paths");
  if (addresses) names.emplace_back("addresses");
  return fmt::format("{}", fmt::join(names, ","));
}

Redactor::Redactor(Redaction redaction) : redaction_(redaction) {
  if (!redaction_.any()) return;
  if (sodium_init() < 0) throw std::runtime_error("no randomness for pseudonyms");
  crypto_generichash_keygen(key_.data());
}

Redactor::Hash Redactor::hash(std::string_view value) const {
  Hash hash{};
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(value.data()),
                     value.size(), key_.data(), key_.size());
  return hash;
}

std::string Redactor::name(std::string_view value) const {
  const Hash bytes = hash(value);
  std::string text = "r-";
  for (size_t i = 0; i < 8; ++i)
    text += fmt::format("{:02x}", bytes.at(i));
  return text;
}

namespace {

/// Such as "socket:[94859722]", "anon_inode:[eventpoll]" and "anon_inode:inotify": no path, which
/// "(unreachable)/home/me:[1]" is.
bool isOfTheKernel(std::string_view link) {
  if (link.find('/') != link.npos) return false;
  const size_t colon = link.find(':');
  const std::string_view type = link.substr(0, colon);
  if (type == "anon_inode") return true;
  return colon != link.npos && type.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == type.npos &&
         link.substr(colon).starts_with(":[") && link.ends_with(']');
}

}  // namespace

std::string Redactor::path(std::string_view path) const {
  if (!redaction_.paths || path.empty()) return std::string(path);
  if (path.front() != '/') {
    return isOfTheKernel(path) ? std::string(path) : name(path);
  }
  const bool is_deleted = path.ends_with(kDeleted);
  if (is_deleted) path.remove_suffix(kDeleted.size());
  std::string text;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    text += '/';
    if (text.size() == 1 && part.starts_with(kMemfd)) {
      text += kMemfd;
      part.remove_prefix(kMemfd.size());
    }
    if (!part.empty()) text += name(part);
  }
  if (is_deleted) text += kDeleted;
  return text;
}

std::string Redactor::socketName(std::string_view socket_name) const {
  if (!redaction_.paths || socket_name.empty() || socket_name.front() == '/') {
    return path(socket_name);
  }
  return socket_name.front() == '@' ? "@" + name(socket_name.substr(1)) : name(socket_name);
}

std::string Redactor::cmdline(std::string_view arguments) const {
  if (!redaction_.cmdline || arguments.empty()) return std::string(arguments);
  return name(arguments) + '\0';
}

std::string Redactor::argument(const std::string& argument) const {
  const size_t slash = argument.find('/');
  const size_t equals = argument.find('=');
  size_t start = 0;  // of the value
  if (argument.starts_with("--")) {
    if (equals == std::string::npos) return argument;
    start = equals + 1;
  } else if (argument.starts_with('-')) {
    start = 2;  // -o or -oVALUE
  }
  const std::string value = argument.substr(std::min(start, argument.size()));
  const bool is_hidden = (redaction_.paths && slash != std::string::npos) ||
                         (redaction_.cmdline && !isHarmless(value));
  return is_hidden ? argument.substr(0, start) + name(value) : argument;
}

std::array<uint8_t, 4> Redactor::ipv4(const std::array<uint8_t, 4>& address) {
  if (isLocalIpv4(address)) return address;
  const auto known = ipv4_.find(address);
  if (known != ipv4_.end()) return known->second;
  const Hash bytes = hash({reinterpret_cast<const char*>(address.data()), address.size()});
  uint32_t number = uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 |
                    uint32_t{bytes[3]};
  while (true) {
    const std::array<uint8_t, 4> pseudonym = {
        static_cast<uint8_t>(0xf0U | (number >> 24 & 0xfU)), static_cast<uint8_t>(number >> 16),
        static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)};
    // 28 bits are few: two addresses must not become one.
    if (taken_.insert(pseudonym).second) return ipv4_[address] = pseudonym;
    ++number;
  }
}

IpAddress Redactor::address(const IpAddress& address) {
  if (!redaction_.addresses || address.length == 0) return address;
  IpAddress pseudonym = address;
  const bool is_mapped =
      address.length == 16 && std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin());
  if (address.length == 4 || is_mapped) {
    const size_t offset = is_mapped ? kMapped.size() : 0;
    std::array<uint8_t, 4> bytes{};
    std::copy_n(address.bytes.begin() + static_cast<std::ptrdiff_t>(offset), 4, bytes.begin());
    bytes = ipv4(bytes);
    std::copy_n(bytes.begin(), 4, pseudonym.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    return pseudonym;
  }
  if (isLocalIpv6(address)) return address;
  const Hash bytes = hash(address.view());
  pseudonym.bytes = {0x20, 0x01, 0x0d, 0xb8};
  std::copy_n(bytes.begin(), 12, pseudonym.bytes.begin() + 4);
  return pseudonym;
}

}  // namespace fdmortem
