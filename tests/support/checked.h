// Archives that are whole.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "tests/support/recording.h"

namespace fdmortem::test {

/// `fdanalyze check` finds nothing wrong with it.
inline void expectChecked(const std::string& database) {
  const ProgramResult check = runFdanalyze({"check", database});
  EXPECT_EQ(check.status, 0) << check.out << check.err;
}

}  // namespace fdmortem::test
