// schema/findings/ on what waits: in accept queues, and for a program that reads it. What was so
// is not told as if it were.
#include <string>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "tests/sql/findings.h"
#include "tests/support/contains.h"

namespace fdmortem::test {

namespace {

// --- an accept queue without a free fd ---

TEST(QueueFindings, ConnectionsThatNobodyCanAccept) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R       .     .
    process a:  ok      .     .
    limit a:    2/4     .     .
    fd a/0:     s500    .     .
    fd a/1:     _       p9    .
    tcp 500:    LISTEN  .     .
    queue 500:  _       .     5
  )"),
            "accept-queue critical 100\nlimit-reached critical 100\n");
}

TEST(QueueFindings, WhoWaitsInTheAcceptQueue) {
  const std::string drawing = R"(
    snapshots:  R       .     .
    process a:  ok      .     .
    limit a:    2/2     .     .
    fd a/0:     s500    .     .
    fd a/1:     _       p9    .
    tcp 500 local=0.0.0.0:9091:             LISTEN  .  .
    queue 500:  _       .     2
    tcp 0 remote=198.51.100.7:4000:         _       .  EST
    tcp 0 remote=198.51.100.7:4001:         _       .  EST
  )";
  EXPECT_EQ(titleOf(drawing, "accept-queue"),
            "2 connections wait in the accept queue of 0.0.0.0:9091, and no fd is free");
  EXPECT_NE(explanationOf(drawing, "accept-queue").find("These came from 198.51.100.7 (2)."),
            std::string::npos)
      << explanationOf(drawing, "accept-queue");
}

TEST(QueueFindings, WhoHasGivenUpInTheAcceptQueue) {
  const std::string drawing = R"(
    snapshots:  R       .     .
    process a:  ok      .     .
    limit a:    2/2     .     .
    fd a/0:     s500    .     .
    fd a/1:     _       s501  .
    tcp 500 local=0.0.0.0:9091:             LISTEN  .  .
    tcp 501 local=0.0.0.0:9092:             _  LISTEN  .
    queue 500:  _       .     1
    queue 501:  _       .     4
    tcp 0 local=192.0.2.1:9091 remote=198.51.100.6:4000: _ .   EST
    tcp 0 local=192.0.2.1:9092 remote=198.51.100.7:4000: _ EST CW
    tcp 0 local=192.0.2.1:9092 remote=198.51.100.7:4001: _ EST CW
  )";
  EXPECT_EQ(titleOf(drawing, "accept-queue"),
            "4 connections wait in the accept queue of 0.0.0.0:9092, and no fd is free; so do some "
            "at 1 other listener");
  const std::string explanation = explanationOf(drawing, "accept-queue");
  EXPECT_NE(explanation.find("Other listeners: 0.0.0.0:9091 up to 1. Of 5 the table lists 1 in "
                             "ESTABLISHED and 2 in CLOSE_WAIT, whose clients have given up or "
                             "ended their side. These came from 198.51.100.7 (2), 198.51.100.6 "
                             "(1)."),
            std::string::npos)
      << explanation;
  EXPECT_NE(explanation.find("The 2 that no table lists were reset by the client"),
            std::string::npos)
      << explanation;
}

TEST(QueueFindings, AnAcceptQueueWithFreeFdsIsTraffic) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R       .     .
    process a:  ok      .     .
    limit a:    9/9     .     .
    fd a/3:     s500    .     .
    tcp 500:    LISTEN  .     .
    queue 500:  _       .     5
  )"),
            "");
}

TEST(QueueFindings, WhatWaitedUnderALimitThatWasRaisedSinceIsPast) {
  const std::string drawing = R"(
    snapshots:  R       .     .     .    .    .
    process a:  ok      .     .     .    .    .
    limit a:    2/9     .     3/9   .    9/9  .
    fd a/0:     s500    .     .     .    .    .
    fd a/1:     p9      .     .     .    .    .
    fd a/2:     _       .     .     p10  .    .
    tcp 500 local=0.0.0.0:9091:  LISTEN  .  .  .  .  .
    queue 500:  4       6     0     7    0    .
  )";
  EXPECT_EQ(titleOf(drawing, "accept-queue"),
            "up to 7 connections waited in the accept queue of 0.0.0.0:9091 while no fd was free, "
            "at last at 2026-01-01T00:00:30Z");
  const std::string explanation = explanationOf(drawing, "accept-queue");
  EXPECT_TRUE(contains(explanation, "while no fd number below the limit was free.")) << explanation;
  EXPECT_TRUE(contains(explanation, "accept() failed with EMFILE then")) << explanation;
  EXPECT_FALSE(contains(adviceOf(drawing, "accept-queue"), "raise the limit"));
}

TEST(QueueFindings, WhatWaitsWithoutAFreeFdIsToldOfTheEnd) {
  const std::string drawing = R"(
    snapshots:  R       .     .     .
    process a:  ok      .     .     .
    limit a:    2/9     .     .     .
    fd a/0:     s500    .     .     .
    fd a/1:     p9      .     .     .
    tcp 500 local=0.0.0.0:9091:  LISTEN  .  .  .
    queue 500:  4       6     .     5
  )";
  EXPECT_EQ(titleOf(drawing, "accept-queue"),
            "5 connections wait in the accept queue of 0.0.0.0:9091, and no fd is free");
  EXPECT_TRUE(contains(explanationOf(drawing, "accept-queue"),
                       "shows up to 6 connections in its queue (snapshot 2, 2026-01-01T00:00:10Z), "
                       "while no fd number below the limit is free."));
}

// Of SO_REUSEPORT the rows of those that wait are of one address: a part would be more than the
// whole.
TEST(QueueFindings, WhoWaitsAtWhichOfSeveralListenersIsNotTold) {
  const auto explanation = [](const std::string& other) {
    return explanationOf(R"(
      snapshots:  R       .     .     .
      process a:  ok      .     .     .
      process b:  ok      .     .     .
      limit a:    2/9     .     .     .
      fd a/0:     s500    .     .     .
      fd a/1:     p9      .     .     .
      fd b/0:     s501    .     .     .
      tcp 500:    LISTEN  .     .     .
      queue 500:  1       .     .     .
      tcp 0 remote=192.0.2.9:1: EST . . .
      tcp 0 remote=192.0.2.9:2: EST . . .
      tcp 501)" + other + R"(: LISTEN . . .
    )",
                         "accept-queue");
  };
  EXPECT_TRUE(contains(explanation(""),
                       "while no fd number below the limit is free. It stood at 1 from snapshot 1 "
                       "to 4. 2 sockets listen at one address, and the table does not tell at "
                       "which of them a connection waits: of all it lists 2 in ESTABLISHED. These "
                       "came from 192.0.2.9 (2)."))
      << explanation("");
  EXPECT_TRUE(contains(explanation(" local=192.0.2.1:80"), " Of 1 the table lists 2 in"));
}

TEST(QueueFindings, OfAProcessThatHasEndedNobodyWaitsAnyMore) {
  EXPECT_EQ(titleOf(R"(
    snapshots:  R       .     .
    process a:  ok      .     -
    limit a:    1/9     .     .
    fd a/0:     s500    .     -
    tcp 500 local=0.0.0.0:9091:  LISTEN  .  -
    queue 500:  4       6     .
  )",
                    "accept-queue"),
            "up to 6 connections waited in the accept queue of 0.0.0.0:9091 while no fd was free, "
            "at last at 2026-01-01T00:00:10Z");
}

TEST(QueueFindings, ANumberThatStandsStillIsNoQueueThatFillsUp) {
  const std::string start = R"(
    snapshots:  R       .     .     .
    process a:  ok      .     .     .
    limit a:    1/9     .     .     .
    fd a/0:     s500    .     .     .
    tcp 500:    LISTEN  .     .     .
  )";
  const std::string still = explanationOf(start + "queue 500:  4  6  .  .\n", "accept-queue");
  EXPECT_TRUE(contains(still, "It stood at 6 from snapshot 2 to 4.")) << still;
  EXPECT_TRUE(contains(still, "Not known: whether it is full")) << still;
  EXPECT_FALSE(
      contains(explanationOf(start + "queue 500:  4  5  6  7\n", "accept-queue"), "stood"));
}

// --- an accept queue with free fds ---

TEST(QueueFindings, WhatNobodyAcceptsThoughFdsAreFree) {
  const std::string start = R"(
    snapshots:  R       .     .     .     .
    process a:  ok      .     .     .     .
    limit a:    9/9     .     .     .     .
    fd a/0:     s500    .     .     .     .
    tcp 500 local=0.0.0.0:9091:  LISTEN  .  .  .  .
  )";
  const std::string stuck = start + "queue 500:  3  5  7  8  9\n";
  EXPECT_EQ(findingsOf(stuck), "accept-queue warning 100\n");
  EXPECT_EQ(titleOf(stuck, "accept-queue"),
            "9 connections wait in the accept queue of 0.0.0.0:9091, and the program does not "
            "accept them");
  EXPECT_TRUE(contains(explanationOf(stuck, "accept-queue"),
                       "in each snapshot of the last 40 s, while fds are free"));
  // It was empty meanwhile; only a few wait.
  EXPECT_EQ(findingsOf(start + "queue 500:  9  9  0  9  9\n"), "");
  EXPECT_EQ(findingsOf(start + "queue 500:  3  5  7  6  7\n"), "");
}

// --- what the program does not read ---

/// A listener and so many connections in a state, with a queue each.
std::string clients(int count, const std::string& states, const std::string& queues = {}) {
  std::string drawing =
      timeOf(6) + "fd a/0: s400 . . . . .\ntcp 400 local=0.0.0.0:9091: LISTEN . . . . .\n";
  for (int i = 0; i < count; ++i) {
    drawing += fmt::format("fd a/{}: s{} . . . . .\n", 1 + i, 500 + i);
    drawing += fmt::format("tcp {} local=192.0.2.1:9091 remote=198.51.100.7:{}: {}\n", 500 + i,
                           1000 + i, states);
    if (!queues.empty()) drawing += fmt::format("queue {}: {}\n", 500 + i, queues);
  }
  return drawing;
}

TEST(UnreadData, ConnectionsThatTheProgramDoesNotRead) {
  const std::string drawing = clients(8, "EST . . . . .", "0 5 . 20 . .");
  EXPECT_EQ(findingsOf(drawing), "unread-data warning 100\n");
  EXPECT_EQ(
      titleOf(drawing, "unread-data"),
      "8 ESTABLISHED connections have data that the program has not read for longer than 30 s");
  EXPECT_TRUE(contains(explanationOf(drawing, "unread-data"),
                       "the longest for 40 s. At the end each has 20 bytes. "));
}

TEST(UnreadData, ResponsesThatAreNotReadAreNoClients) {
  std::string drawing = timeOf(6);
  for (int i = 0; i < 8; ++i) {
    drawing += fmt::format("fd a/{}: s{} . . . . .\n", 1 + i, 500 + i);
    drawing += fmt::format("tcp {} local=192.0.2.1:{} remote=198.51.100.7:5432: EST . . . . .\n",
                           500 + i, 40000 + i);
    drawing += fmt::format("queue {}: 20 . . . . .\n", 500 + i);
  }
  const std::string explanation = explanationOf(drawing, "unread-data");
  EXPECT_FALSE(contains(explanation, "clients")) << explanation;
  EXPECT_TRUE(contains(explanation, "has left responses unread")) << explanation;
  EXPECT_TRUE(contains(adviceOf(drawing, "unread-data"), "each response has to be read"));
  EXPECT_TRUE(contains(explanationOf(clients(8, "EST . . . . .", "20 . . . . ."), "unread-data"),
                       "is too slow for its clients"));
}

TEST(UnreadData, NoneWhereItWasReadMeanwhile) {
  EXPECT_EQ(findingsOf(clients(8, "EST . . . . .", "20 20 0 20 . .")), "");
  EXPECT_EQ(findingsOf(clients(8, "EST . . . . .", "20 20 20 5 . .")), "") << "some was read";
  EXPECT_EQ(findingsOf(clients(8, "EST . . . . .", "20 20 20 20 20 0")), "");
  EXPECT_EQ(findingsOf(clients(8, "EST . . . . .", "0 0 20 . . .")), "") << "for 30 s only";
  EXPECT_EQ(findingsOf(clients(7, "EST . . . . .", "20 . . . . .")), "") << "only a few";
}

// --- peers that do not answer ---

TEST(Unanswered, DataThatNobodyAcknowledges) {
  const std::string drawing =
      clients(8, "EST . . . . .", "0 0/5/1/0 0/10/3/0 0/15/4/0 0/20/4/0 0/25/5/0");
  EXPECT_EQ(findingsOf(drawing), "unanswered warning 100\n");
  EXPECT_EQ(titleOf(drawing, "unanswered"),
            "the peers of 8 ESTABLISHED connections have not answered for longer than 30 s");
  const std::string explanation = explanationOf(drawing, "unanswered");
  EXPECT_TRUE(contains(explanation,
                       "8 connections have each 25 bytes that their peers have not "
                       "acknowledged and that were sent again 5 times"))
      << explanation;
  EXPECT_TRUE(contains(explanation, "since 2026-01-01T00:00:10Z")) << explanation;
}

TEST(Unanswered, ProbesThatNobodyAnswers) {
  const std::string drawing = clients(8, "EST . . . . .", "0 0/0/0/1 . 0/0/0/2 . .");
  EXPECT_EQ(findingsOf(drawing), "unanswered warning 100\n");
  EXPECT_TRUE(contains(explanationOf(drawing, "unanswered"), "2 probes"))
      << explanationOf(drawing, "unanswered");
}

TEST(Unanswered, NoneWhereThePeerAnsweredMeanwhile) {
  EXPECT_EQ(findingsOf(clients(8, "EST . . . . .", "0/5/1/0 0/5/2/0 0/5/1/0 0/5/2/0 . .")), "");
  EXPECT_EQ(findingsOf(clients(8, "EST . . . . .", "0/5/1/0 0/5/2/0 0 0/5/2/0 . .")), "");
  EXPECT_EQ(findingsOf(clients(8, "EST . . . . .", "0/5/1/0 . . . . 0/5/0/0")), "");
  EXPECT_EQ(findingsOf(clients(8, "EST . . . . .", "0 0 0/5/1/0 . . .")), "") << "for 30 s only";
}

TEST(Unanswered, AFewAreInformationUnlessTheyAreMostOfTheConnections) {
  const std::string queue = "0/5/1/0 . . . . .";
  EXPECT_EQ(findingsOf(clients(2, "EST . . . . .", queue)), "unanswered info 100\n");
  EXPECT_EQ(findingsOf(clients(3, "EST . . . . .", queue)), "unanswered warning 100\n");
  EXPECT_EQ(findingsOf(clients(8, "EST . . . . .") +
                       "fd a/20: s700 . . . . .\n"
                       "tcp 700 local=192.0.2.1:9091 remote=198.51.100.7:20: EST . . . . .\n"
                       "queue 700: " +
                       queue + "\n"),
            "unanswered info 100\n");
}

// --- what the program has shut down ---

TEST(HalfClosed, ConnectionsThatAreShutDownAndNotClosed) {
  const std::string drawing = clients(8, "EST FW2 . . . .");
  EXPECT_EQ(findingsOf(drawing), "half-closed warning 100\n");
  EXPECT_EQ(titleOf(drawing, "half-closed"),
            "8 connections stay in FIN_WAIT2: the program has shut them down and not closed them");
}

TEST(HalfClosed, NotForAsLongAsPeersNeed) {
  EXPECT_EQ(findingsOf(clients(8, "EST . FW2 . . .")), "") << "for 30 s only";
  EXPECT_EQ(findingsOf(clients(7, "EST FW2 . . . .")), "") << "only a few";
}

}  // namespace
}  // namespace fdmortem::test
