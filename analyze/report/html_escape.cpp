#include "analyze/report/html_escape.h"

#include "schema/printable.h"

namespace fdmortem {

namespace {

constexpr std::string_view kTimePattern = "0000-00-00T00:00:00Z";

bool isTime(std::string_view text) {
  if (text.size() < kTimePattern.size()) return false;
  for (size_t i = 0; i < kTimePattern.size(); ++i) {
    const bool is_digit = text[i] >= '0' && text[i] <= '9';
    if (kTimePattern[i] == '0' ? !is_digit : text[i] != kTimePattern[i]) return false;
  }
  return true;
}

}  // namespace

std::string htmlTextWithTimes(std::string_view text) {
  std::string result;
  size_t plain = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!isTime(text.substr(i))) continue;
    const std::string_view time = text.substr(i, kTimePattern.size());
    result += htmlText(text.substr(plain, i - plain));
    result += "<time>" + std::string(time) + "</time>";
    plain = i + time.size();
    i = plain - 1;
  }
  return result + htmlText(text.substr(plain));
}

std::string htmlText(std::string_view text) {
  std::string result;
  for (const char c : printableOnce(text)) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

}  // namespace fdmortem
