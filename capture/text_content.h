// What the texts that an archive keeps can hold of what is redacted.
#pragma once

#include <string_view>

#include "capture/redaction.h"

namespace fdmortem {

/// What a text can hold that is redacted.
enum class TextContent { Plain, Addresses, Paths, Environment };

/// Of the text that is kept under `path` (schema/README.md, "The texts as they were read").
TextContent textContentOf(std::string_view path);

/// Whether texts with such content are kept in an archive that is redacted so.
bool isKept(TextContent content, const Redaction& redaction);

}  // namespace fdmortem
