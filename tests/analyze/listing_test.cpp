#include "analyze/listing.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace fdmortem::test {

namespace {

const Value kNull;

/// A table of one column and one row.
ResultTable cell(Value value, const std::string& column = "text") {
  return {.columns = {column}, .rows = {{std::move(value)}}};
}

std::string csvOf(const std::string& text) {
  const std::string csv = renderListing(cell(text), ListingFormat::Csv);
  return csv.substr(6, csv.size() - 8);  // without "text\r\n" and the last "\r\n"
}

std::string jsonOf(const Value& value, const std::string& column = "text") {
  const std::string line = renderListing(cell(value, column), ListingFormat::Ndjson);
  return line.substr(column.size() + 4, line.size() - column.size() - 6);  // {"text":...}\n
}

const ResultTable kSockets = {
    .columns = {"pid", "comm", "remote", "seconds", "leak", "watched_by", "_id"},
    .rows = {{int64_t{4711}, "gateway", "192.0.2.7:9091", 20.5, int64_t{1}, "[5,6]", int64_t{1}},
             {int64_t{8}, "a", kNull, kNull, int64_t{0}, "[]", int64_t{2}}}};

TEST(Listing, Table) {
  EXPECT_EQ(renderListing(kSockets, ListingFormat::Table),
            " pid  comm     remote          seconds  leak  watched_by  _id\n"
            "4711  gateway  192.0.2.7:9091     20.5     1  [5,6]         1\n"
            "   8  a        -                     -     0  []            2\n");
}

TEST(Listing, Json) {
  EXPECT_EQ(nlohmann::json::parse(renderListing(kSockets, ListingFormat::Json)),
            nlohmann::json::parse(R"([
    {"pid": 4711, "comm": "gateway", "remote": "192.0.2.7:9091", "seconds": 20.5, "leak": true,
     "watched_by": [5, 6]},
    {"pid": 8, "comm": "a", "remote": null, "seconds": null, "leak": false, "watched_by": []}])"));
}

TEST(Listing, Ndjson) {
  EXPECT_EQ(renderListing(kSockets, ListingFormat::Ndjson),
            R"({"pid":4711,"comm":"gateway","remote":"192.0.2.7:9091","seconds":20.5,"leak":true,)"
            R"("watched_by":[5,6]})"
            "\n"
            R"({"pid":8,"comm":"a","remote":null,"seconds":null,"leak":false,"watched_by":[]})"
            "\n");
}

TEST(Listing, Csv) {
  EXPECT_EQ(renderListing(kSockets, ListingFormat::Csv),
            "pid,comm,remote,seconds,leak,watched_by,_id\r\n"
            "4711,gateway,192.0.2.7:9091,20.5,1,\"[5,6]\",1\r\n"
            "8,a,,,0,[],2\r\n");
}

TEST(Listing, WithoutRows) {
  const ResultTable empty{.columns = {"pid", "comm"}};
  EXPECT_EQ(renderListing(empty, ListingFormat::Table), "pid  comm\n");
  EXPECT_EQ(renderListing(empty, ListingFormat::Json), "[]\n");
  EXPECT_EQ(renderListing(empty, ListingFormat::Ndjson), "");
  EXPECT_EQ(renderListing(empty, ListingFormat::Csv), "pid,comm\r\n");
}

TEST(Listing, NullIsNoText) {
  EXPECT_EQ(jsonOf(kNull), "null");
  EXPECT_EQ(jsonOf(std::string()), "\"\"");
  EXPECT_EQ(renderListing(cell(kNull), ListingFormat::Table), "text\n   -\n");
  EXPECT_EQ(renderListing(cell(kNull), ListingFormat::Csv), "text\r\n\r\n");
}

TEST(ListingCsv, QuotesWhatHasACommaOrAQuote) {
  EXPECT_EQ(csvOf("a,b"), "\"a,b\"");
  EXPECT_EQ(csvOf("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(csvOf("a b"), "a b");
}

TEST(ListingCsv, ATextIsNoFormula) {
  EXPECT_EQ(csvOf("=1+1"), "'=1+1");
  EXPECT_EQ(csvOf("+1"), "'+1");
  EXPECT_EQ(csvOf("-1"), "'-1");
  EXPECT_EQ(csvOf("@SUM(A1)"), "'@SUM(A1)");
  EXPECT_EQ(csvOf("=HYPERLINK(\"x\",\"y\")"), "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"");
  EXPECT_EQ(csvOf("a=1"), "a=1");
}

TEST(ListingCsv, ANumberIsANumber) {
  EXPECT_EQ(renderListing(cell(int64_t{-1}), ListingFormat::Csv), "text\r\n-1\r\n");
  EXPECT_EQ(renderListing(cell(-1.5), ListingFormat::Csv), "text\r\n-1.5\r\n");
}

TEST(ListingCsv, AHeadingIsNoFormula) {
  EXPECT_EQ(renderListing(cell(int64_t{1}, "=1+1"), ListingFormat::Csv), "'=1+1\r\n1\r\n");
}

TEST(Listing, ShowsNothingThatIsNotPrintable) {
  const std::string hostile = "a\x1b[31m\nb\xff\u202e" + std::string(1, '\0');
  const std::string safe = R"(a\x1b[31m\nb\xff\u{202e}\x00)";
  EXPECT_EQ(renderListing(cell(hostile), ListingFormat::Table), "text\n" + safe + "\n");
  EXPECT_EQ(csvOf(hostile), safe);
  EXPECT_EQ(nlohmann::json::parse(jsonOf(hostile)), safe);
  EXPECT_EQ(renderListing(cell(int64_t{1}, "a\nb"), ListingFormat::Table), "a\\nb\n   1\n");
}

TEST(Listing, AColumnsNameIsMadeSafeInEveryFormat) {
  for (const ListingFormat format :
       {ListingFormat::Table, ListingFormat::Json, ListingFormat::Csv, ListingFormat::Ndjson}) {
    const std::string text = renderListing(cell(int64_t{1}, "\x1b[31m\xff"), format);
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
    EXPECT_EQ(text.find('\xff'), std::string::npos) << text;
  }
}

TEST(Listing, ANameThatWasMadePrintableStaysAsItIs) {
  for (const std::string name : {R"(a\nb)", R"(a\\nb)", R"(\x1b)"}) {
    EXPECT_EQ(csvOf(name), name);
    EXPECT_EQ(renderListing(cell(name), ListingFormat::Table), "text\n" + name + "\n");
  }
}

TEST(ListingJson, ANumberThatIsNoneIsNull) {
  EXPECT_EQ(jsonOf(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(jsonOf(std::numeric_limits<double>::quiet_NaN()), "null");
}

TEST(ListingJson, LargeNumbersAreWhole) {
  EXPECT_EQ(jsonOf(std::numeric_limits<int64_t>::max()), "9223372036854775807");
}

TEST(ListingJson, WatchedByThatIsNoArrayIsText) {
  EXPECT_EQ(jsonOf(std::string("x"), "watched_by"), "\"x\"");
  EXPECT_EQ(jsonOf(std::string("[3]"), "watched_by"), "[3]");
}

TEST(ListingTable, CountsCharactersAndNotBytes) {
  const ResultTable table{.columns = {"a", "b"}, .rows = {{"größe", "x"}, {"size", "y"}}};
  EXPECT_EQ(renderListing(table, ListingFormat::Table), "a      b\ngröße  x\nsize   y\n");
}

}  // namespace

}  // namespace fdmortem::test
