#include "schema/evidence/chain.h"

#include <string>

namespace fdmortem {
namespace {

void appendNumber(std::string& bytes, uint64_t number) {
  for (int i = 0; i < 8; ++i, number >>= 8)
    bytes.push_back(static_cast<char>(number & 0xFF));
}

}  // namespace

Digest ChainLink::value() const {
  std::string bytes(bytesOf(previous));
  appendNumber(bytes, static_cast<uint64_t>(kind));
  appendNumber(bytes, static_cast<uint64_t>(subject));
  bytes.append(bytesOf(content));
  return digestOf(bytes);
}

}  // namespace fdmortem
