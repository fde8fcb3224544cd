#include "schema/sha256.h"

#include <string>
#include <system_error>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace fdmortem::test {

namespace {

class Sha256Test : public testing::Test {
 protected:
  std::string digestOf(std::string_view content) {
    writeFile(folder_.file("x"), content);
    return sha256OfFile(folder_.file("x"));
  }

  TemporaryDirectory folder_;
};

// FIPS 180-2, appendix B, and the empty text.
TEST_F(Sha256Test, KnownAnswers) {
  EXPECT_EQ(digestOf(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digestOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digestOf(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_F(Sha256Test, NamesAFileThatCanNotBeRead) {
  try {
    sha256OfFile(folder_.file("missing"));
    FAIL() << "no exception";
  } catch (const std::system_error& error) {
    EXPECT_NE(std::string(error.what()).find("missing"), std::string::npos) << error.what();
  }
}

}  // namespace

}  // namespace fdmortem::test
