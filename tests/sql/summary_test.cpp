// schema/views/summary.sql.
#include <gtest/gtest.h>

#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

constexpr std::string_view kLeak = R"(
  snapshots:                            R       .     .     .  .     .
  process a:                            ok      .     .     .  .     .
  limit a:                              4/10    .     .     .  .     .
  fd a/0:                               s500    .     .     .  .     .
  fd a/1:                               _       s501  .     .  .     .
  fd a/2:                               _       .     s502  .  .     .
  fd a/3:                               _       .     s503  .  -     .
  fd a/4:                               _       .     .     .  /log  .
  tcp 500:                              LISTEN  .     .     .  .     .
  tcp 501 remote=198.51.100.7:1001:     _       EST   .     -  .     .
  tcp 502 remote=198.51.100.7:1002:     _       .     CW    -  .     .
  tcp 503 remote=198.51.100.8:1003:     _       .     EST   .  -     .
)";

TEST(ProcessFds, FirstLastPeakAndLimit) {
  Timeline timeline(kLeak);
  EXPECT_EQ(timeline.rows("SELECT fds_first, fds_last, fds_peak, peak_snapshot, soft_limit, "
                          "hard_limit, limit_reached, limit_changed, first_snapshot, last_snapshot "
                          "FROM process_fds"),
            "1 4 4 3 4 10 3 0 1 6\n");
}

TEST(ProcessFds, HowTheLimitWasReached) {
  Timeline timeline(kLeak);
  EXPECT_EQ(timeline.rows("SELECT limit_used, limit_before, reached_limit, is_full, growth_until "
                          "FROM process_fds"),
            "3 2 4 0 3\n");
}

TEST(ProcessFds, GrowthThatWentOnUnderAHigherLimit) {
  Timeline timeline(R"(
    snapshots:  R    .    .    .
    process a:  ok   .    .    .
    limit a:    1/9  .    5/9  .
    fd a/0:     p8   .    .    .
    fd a/1:     _    .    .    p9
  )");
  EXPECT_EQ(timeline.rows("SELECT limit_reached, limit_before, reached_limit, is_full, "
                          "growth_until FROM process_fds"),
            "1 - 1 0 -\n");
}

TEST(LimitUse, AtEachSnapshot) {
  Timeline timeline(R"(
    snapshots:  R    .    .    .
    process a:  ok   .    fail ok
    limit a:    2/9  .    .    .
    fd a/0:     p8   .    .    .
    fd a/7:     p9   .    .    .
  )");
  EXPECT_EQ(timeline.rows("SELECT snapshot, fds, used, soft_limit FROM limit_use_at"),
            "1 2 1 2\n2 2 1 2\n4 2 1 2\n");
}

TEST(ProcessFds, ALimitThatIsRaised) {
  Timeline timeline(R"(
    snapshots:  R    .    .
    process a:  ok   .    .
    limit a:    2/9  5/9  .
    fd a/3:     p8   .    .
  )");
  EXPECT_EQ(timeline.rows("SELECT soft_limit, limit_reached, limit_changed FROM process_fds"),
            "5 - 1\n");
}

TEST(ProcessFds, OnlyTheHardLimitChanged) {
  Timeline timeline(R"(
    snapshots:  R    .    .
    process a:  ok   .    .
    limit a:    5/9  5/8  .
    fd a/3:     p8   .    .
  )");
  EXPECT_EQ(timeline.rows("SELECT soft_limit, hard_limit, limit_changed FROM process_fds"),
            "5 8 0\n");
}

TEST(ProcessFds, NoLimitIsNeverReached) {
  Timeline timeline(R"(
    snapshots:  R    .
    process a:  ok   .
    limit a:    u/u  .
    fd a/3:     p8   .
  )");
  EXPECT_EQ(timeline.rows("SELECT soft_limit, limit_reached FROM process_fds"), "- -\n");
}

TEST(ProcessFds, NoRowForAProcessThatCouldNeverBeRead) {
  Timeline timeline(R"(
    snapshots:  R     .
    process a:  fail  .
  )");
  EXPECT_EQ(timeline.rows("SELECT count(*) FROM process_fds"), "0\n");
}

TEST(KindAtEnd, CountsWhatIsThereAtTheEnd) {
  Timeline timeline(kLeak);
  EXPECT_EQ(timeline.rows("SELECT kind, count FROM kind_at_end ORDER BY 1"), "other 1\nsocket 3\n");
}

TEST(KindAtEnd, CountsWhatAProcessHadWhenItEnded) {
  Timeline timeline(R"(
    snapshots:  R   .   .
    process a:  ok  .   -
    fd a/3:     p8  .   .
    fd a/4:     p9  -   .
  )");
  EXPECT_EQ(timeline.rows("SELECT kind, count FROM kind_at_end"), "pipe 1\n");
}

TEST(VerdictAtEnd, CountsVerdicts) {
  Timeline timeline(kLeak);
  EXPECT_EQ(timeline.rows("SELECT verdict, count FROM verdict_at_end ORDER BY 1"),
            "listening 1\noutlived 2\n");
}

TEST(PeerGroup, GroupsByPeerOfAServer) {
  Timeline timeline(kLeak, 10'000);
  EXPECT_EQ(timeline.rows("SELECT verdict, proof, last_state, direction, local_port, peer, count, "
                          "leaks, first_lost, last_lost FROM peer_group ORDER BY last_state"),
            "outlived history CLOSE_WAIT in 9091 198.51.100.7 1 1 2026-01-01T00:00:20.000Z "
            "2026-01-01T00:00:20.000Z\n"
            "outlived history ESTABLISHED in 9091 198.51.100.7 1 1 2026-01-01T00:00:20.000Z "
            "2026-01-01T00:00:20.000Z\n");
}

TEST(PeerGroup, GroupsByAddressAndPortOfAClient) {
  Timeline timeline(R"(
    snapshots:                                                  R     .
    process a:                                                  ok    .
    fd a/3:                                                     s500  .
    fd a/4:                                                     s501  .
    fd a/5:                                                     s502  .
    tcp 500 local=192.0.2.1:50001 remote=198.51.100.7:5432:     EST   .
    tcp 501 local=192.0.2.1:50002 remote=198.51.100.7:5432:     EST   .
    tcp6 502 local=[2001:db8::1]:7 remote=[2001:db8::7]:5432:   EST   .
  )");
  EXPECT_EQ(timeline.rows("SELECT verdict, direction, local_port, peer, count, first_lost "
                          "FROM peer_group ORDER BY peer"),
            "connected out - 198.51.100.7:5432 2 -\n"
            "connected out - [2001:db8::7]:5432 1 -\n");
}

TEST(PeerGroup, APeerOverIpv6IsItsAddress) {
  Timeline timeline(R"(
    snapshots:                                                                R       .
    process a:                                                                ok      .
    fd a/3 protocol=TCPv6:                                                    s500    .
    fd a/4 protocol=TCPv6:                                                    s501    .
    tcp6 500 local=[::]:9091 remote=[::]:0:                                   LISTEN  .
    tcp6 501 local=[::ffff:192.0.2.1]:9091 remote=[::ffff:198.51.100.7]:1000: EST     .
  )");
  EXPECT_EQ(timeline.rows("SELECT direction, local_port, peer, count FROM peer_group"),
            "in 9091 [::ffff:198.51.100.7] 1\n");
}

TEST(PeerGroup, AListenerOfAnotherNamespaceMakesNoServer) {
  Timeline timeline(R"(
    snapshots:                                 R       .
    process a:                                 ok      .
    process b netns=2:                         ok      .
    fd a/3:                                    s500    .
    fd b/3:                                    s501    .
    tcp 500:                                   EST     .
    tcp 501 netns=2 local=0.0.0.0:9091:        LISTEN  .
  )");
  EXPECT_EQ(timeline.rows("SELECT direction, peer FROM peer_group"), "out 198.51.100.7:40000\n");
}

TEST(PeerGroup, TheUnknownPeer) {
  Timeline timeline(R"(
    snapshots:  R     .
    process a:  ok    .
    fd a/3:     s500  .
    fd a/4:     s501  .
  )");
  EXPECT_EQ(timeline.rows("SELECT verdict, direction, peer, count FROM peer_group"),
            "unlisted - - 2\n");
}

TEST(ListedIn, CountsByTable) {
  Timeline timeline(R"(
    snapshots:              R       .     .
    process a:              ok      .     .
    fd a/3 protocol=TCPv6:  s500    .     .
    fd a/4 protocol=TCPv6:  s501    .     .
    fd a/5 protocol=TCPv6:  s502    .     .
    tcp6 500:               LISTEN  .     .
    tcp6 501:               EST     .     .
    tcp6 502:               EST     -     .
  )");
  EXPECT_EQ(timeline.rows("SELECT tcp, tcp6, alive FROM listed_in"), "0 2 1\n");
}

TEST(TargetGroup, WhatDiffersInNumbersOnlyIsOne) {
  Timeline timeline(R"(
    snapshots:                                     R   .
    process a:                                     ok  .
    fd a/3 type=8 links=0:                         /l/app-9.log_(deleted)   .
    fd a/4 type=8 links=0:                         _   /l/app-10.log_(deleted)
    fd a/5 type=8 links=1:                         /etc/hosts2  .
    fd a/6 type=8 links=1:                         /etc/hosts2  .
    fd a/7 type=8 links=1:                         /gone   -
    fd a/8 protocol=UDP:                           s500 .
    fd a/9 protocol=UDP:                           s501 .
    fd a/10 protocol=UDP:                          s502 .
    fd a/11 protocol=UNIX-STREAM:                  s503 .
    fd a/12 protocol=UNIX-STREAM:                  s504 .
    fd a/13:                                       p9  .
    udp 500 local=0.0.0.0:41000 remote=0.0.0.0:0:  CLOSE .
    udp 501 local=0.0.0.0:41001 remote=0.0.0.0:0:  CLOSE .
    udp 502 local=0.0.0.0:53 remote=192.0.2.1:53:  EST .
    unix 503 path=/run/x2.sock:                    on .
    unix 504:                                      on .
  )");
  EXPECT_EQ(timeline.rows("SELECT name, target, fds, first_seen FROM target_group"
                          " ORDER BY name, target"),
            "UDP 0.0.0.0:* 2 2026-01-01T00:00:00.000Z\n"
            "UDP 0.0.0.0:53 -> 192.0.2.1:53 1 2026-01-01T00:00:00.000Z\n"
            "UNIX-STREAM (no name) 1 2026-01-01T00:00:00.000Z\n"
            "UNIX-STREAM /run/x2.sock 1 2026-01-01T00:00:00.000Z\n"
            "deleted-file /l/app-*.log_(deleted) 2 2026-01-01T00:00:00.000Z\n"
            "file /etc/hosts2 2 2026-01-01T00:00:00.000Z\n");
}

TEST(UnixPeers, ASocketToWhichNobodyRefersHasLostItsPeer) {
  EXPECT_EQ(Timeline(R"(
    snapshots:  R .
    process a:  ok .
    fd a/3 protocol=UNIX-STREAM:  s500  .
    fd a/4 protocol=UNIX-STREAM:  s501  .
    fd a/5 protocol=UNIX-DGRAM:   s502  .
    unix 500:               on .
    unix 501 references=2:  on .
    unix 502 references=2 type=2:  on .
  )")
                .rows("SELECT fd, inode, first_snapshot FROM unix_without_peer"),
            "4 501 1\n");
}

TEST(TargetGroup, OnlyNumbersThatDifferAreAStar) {
  EXPECT_EQ(Timeline(R"(
    snapshots:  R .
    process a:  ok .
    fd a/3 type=8 links=1:  /srv4/d/app12.log.7   .
    fd a/4 type=8 links=1:  /srv4/d/app12.log.81  .
    fd a/5 type=8 links=1:  /srv4/d/app13.log     .
    fd a/6 type=8 links=1:  /srv4/d/app14.log     .
  )")
                .rows("SELECT target, fds FROM target_group ORDER BY target"),
            "/srv4/d/app*.log 2\n/srv4/d/app12.log.* 2\n");
}

// Names as mkstemp() makes them.
TEST(TargetGroup, ManyPathsOfOneFolderWithAnFdEach) {
  const auto targets = [](const std::string& names) {
    std::string drawing = "snapshots: R .\nprocess a: ok .\n";
    for (size_t i = 0; i < names.size(); ++i) {
      drawing += "fd a/" + std::to_string(i) + " type=8 links=1: /tmp/job-" + names[i] + "x" +
                 names[i] + " .\n";
    }
    drawing +=
        "fd a/30 type=8 links=1: /etc/hosts .\nfd a/31 type=8 links=1: /tmp/own .\n"
        "fd a/32 type=8 links=1: /tmp/own .\n";
    return Timeline(drawing).rows("SELECT target, fds FROM target_group ORDER BY fds DESC, target");
  };
  EXPECT_EQ(targets("abcdefghij"), "/tmp/job-* 10\n/tmp/own 2\n/etc/hosts 1\n");
  EXPECT_EQ(targets("ab"), "/tmp/own 2\n/etc/hosts 1\n/tmp/job-axa 1\n/tmp/job-bxb 1\n");
}

TEST(Unreadable, EachThingOnce) {
  Timeline timeline(R"(
    snapshots:                     R  .  .
    process a:                     ok .  .
    failure 7/fd errno=13 pid=7:   1  .  2
    failure net:[1]:               .  1  .
  )");
  EXPECT_EQ(timeline.rows("SELECT subject, pid, errno, count, snapshots, first_snapshot, "
                          "last_snapshot FROM unreadable ORDER BY subject"),
            "7/fd 7 13 3 2 1 3\n"
            "net:[1] - - 1 1 2 2\n");
}

TEST(Unreadable, TheFdsOfAProcessAreOneFileEachOfTheOthersIsItsOwn) {
  Timeline timeline(R"(
    snapshots:                       R  .
    process a:                       ok .
    failure 7/fd/3 errno=13 pid=7:   4  .
    failure 7/fd/12 errno=13 pid=7:  .  3
    failure 7/fdinfo/3 errno=13 pid=7:  4  .
    failure 7/exe errno=13 pid=7:    1  .
    failure 7/io errno=1 pid=7:      1  .
    failure 7/x errno=4095 pid=7:    1  .
  )");
  EXPECT_EQ(timeline.rows("SELECT file, subject, reason, count, snapshots FROM unreadable"
                          " ORDER BY file"),
            "7/exe 7/exe EACCES: permission denied 1 1\n"
            "7/fd/N 7/fd/12 EACCES: permission denied 7 2\n"
            "7/fdinfo/N 7/fdinfo/3 EACCES: permission denied 4 1\n"
            "7/io 7/io EPERM: operation not permitted 1 1\n"
            "7/x 7/x error 4095 1 1\n");
}

TEST(UnreadLink, SaysHowManyFdsAndWhy) {
  Timeline timeline(R"(
    snapshots:                        R  .
    process a pid=7:                  ok .
    process b pid=8:                  ok .
    fd a/3:                           ?  .
    fd a/4:                           ?  -
    fd b/3:                           p9 .
    failure 7/exe errno=2 pid=7:      9  .
    failure 7/fd/3 errno=13 pid=7:    2  1
  )");
  EXPECT_EQ(timeline.rows("SELECT pid, fds FROM unread_link JOIN processes USING (process)"),
            "7 1\n");
}

}  // namespace

}  // namespace fdmortem::test
