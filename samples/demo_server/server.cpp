#include "samples/demo_server/server.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "samples/demo_server/end_signals.h"
#include "samples/demo_server/files.h"

namespace fdmortem::demo {

namespace {

constexpr int kFailedOnPurpose = 70;  // EX_SOFTWARE of sysexits.h
constexpr auto kListenerPause = std::chrono::milliseconds(50);
constexpr auto kComplaintInterval = std::chrono::seconds(1);
constexpr int kAcceptBatch = 64;  // other connections get their turn in between

// epoll's data is a number that is never used again: an event that comes late finds nothing, where
// an fd number could find somebody else's connection.
constexpr uint64_t kListenerId = 0;
constexpr uint64_t kSignalId = 1;
constexpr uint64_t kFirstConnectionId = 2;

void limitOwnFds(uint32_t soft) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) throwErrno("getrlimit");
  if (soft > limit.rlim_max) {
    throw std::runtime_error(
        fmt::format("--max-fds {}: the hard limit is {}", soft, limit.rlim_max));
  }
  limit.rlim_cur = soft;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) throwErrno("setrlimit");
}

bool isShortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

std::string describe(int error) {
  return error == EMFILE ? "too many open files" : std::strerror(error);
}

}  // namespace

Server::Server(const ServeOptions& options)
    : options_(options),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      signals_(makeEndSignalFd()),
      listener_(listenOn(SocketAddress(options.bind, options.port))),
      next_id_(kFirstConnectionId) {
  if (epoll_.get() < 0) throwErrno("epoll_create1");
  watch(EPOLL_CTL_ADD, signals_.get(), kSignalId, EPOLLIN);
  watch(EPOLL_CTL_ADD, listener_.get(), kListenerId, EPOLLIN);
}

int Server::run() {
  std::array<epoll_event, 256> events{};
  while (true) {
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), waitTime());
    if (count < 0 && errno != EINTR) throwErrno("epoll_wait");
    for (const epoll_event& event :
         std::span(events).first(static_cast<size_t>(std::max(count, 0)))) {
      if (event.data.u64 == kSignalId) return 0;
      if (event.data.u64 == kListenerId) {
        acceptSome();
      } else {
        handleConnection(event.data.u64, event.events);
      }
    }
    if (options_.fail_after && accepted_count_ >= *options_.fail_after) return kFailedOnPurpose;
    resumeListenerWhenDue();
  }
}

void Server::watch(int operation, int fd, uint64_t id, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) throwErrno("epoll_ctl");
}

int Server::waitTime() const {
  if (!listener_resumes_) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*listener_resumes_ - Clock::now());
  return static_cast<int>(std::max<int64_t>(left.count(), 0));
}

void Server::acceptSome() {
  for (int i = 0; i < kAcceptBatch; ++i) {
    FileHandle fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.get() >= 0) {
      addConnection(std::move(fd));
      if (options_.fail_after && accepted_count_ >= *options_.fail_after) return;
      continue;
    }
    if (isShortage(errno)) pauseListener(errno);
    // The others (EAGAIN, ECONNABORTED, network errors) are over with this call.
    return;
  }
}

/// The connection that could not be accepted still waits, so the listener would be ready all the
/// time.
void Server::pauseListener(int error) {
  const auto now = Clock::now();
  watch(EPOLL_CTL_MOD, listener_.get(), kListenerId, 0);
  listener_resumes_ = now + kListenerPause;
  if (last_complaint_ && now - *last_complaint_ < kComplaintInterval) return;
  last_complaint_ = now;
  fmt::print(stderr, "accept4: {}\n", describe(error));
}

void Server::resumeListenerWhenDue() {
  if (!listener_resumes_ || Clock::now() < *listener_resumes_) return;
  listener_resumes_.reset();
  watch(EPOLL_CTL_MOD, listener_.get(), kListenerId, EPOLLIN);
}

void Server::addConnection(FileHandle fd) {
  ++accepted_count_;
  const uint64_t id = next_id_++;
  watch(EPOLL_CTL_ADD, fd.get(), id, EPOLLIN);
  connections_.emplace(id, Connection{.fd = std::move(fd), .unsent = {}});
}

void Server::handleConnection(uint64_t id, uint32_t events) {
  const auto connection = connections_.find(id);
  if (connection == connections_.end()) return;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    onError(connection, takeSocketError(connection->second.fd.get()));
  } else if ((events & EPOLLOUT) != 0) {
    sendAnswers(connection);
  } else {
    readRequests(connection);
  }
}

void Server::readRequests(Connections::iterator connection) {
  std::array<char, 4096> buffer{};
  const ssize_t size =
      ::recv(connection->second.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size == 0) return onEndOfFile(connection);
  if (size < 0) {
    if (errno != EAGAIN && errno != EINTR) onError(connection, errno);
    return;
  }
  const auto lines = std::count(buffer.begin(), buffer.begin() + size, '\n');
  for (auto i = lines; i > 0; --i)
    connection->second.unsent += "ok\n";
  if (lines > 0) sendAnswers(connection);
}

void Server::sendAnswers(Connections::iterator connection) {
  auto& [fd, unsent] = connection->second;
  const ssize_t size = ::send(fd.get(), unsent.data(), unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (size < 0 && errno != EAGAIN && errno != EINTR) return onError(connection, errno);
  unsent.erase(0, static_cast<size_t>(std::max<ssize_t>(size, 0)));
  // A peer that does not take its answers is not read from either.
  watch(EPOLL_CTL_MOD, fd.get(), connection->first, unsent.empty() ? EPOLLIN : EPOLLOUT);
}

void Server::onEndOfFile(Connections::iterator connection) {
  if (options_.behaviour == Behaviour::LeakCloseWait) return forgetConnection(connection);
  closeConnection(connection);
}

void Server::onError(Connections::iterator connection, int error) {
  fmt::print(stderr, "fd {}: {}\n", connection->second.fd.get(), describe(error));
  if (options_.behaviour == Behaviour::LeakReset) return forgetConnection(connection);
  closeConnection(connection);
}

void Server::closeConnection(Connections::iterator connection) {
  connections_.erase(connection);  // closed, which takes it out of the epoll instance too
}

/// The bug the samples are about: it is tidy towards epoll and its own table, and never calls
/// close().
void Server::forgetConnection(Connections::iterator connection) {
  const int leaked = connection->second.fd.release();
  watch(EPOLL_CTL_DEL, leaked, connection->first, 0);
  connections_.erase(connection);
}

int serve(const ServeOptions& options) {
  if (options.max_fds) limitOwnFds(*options.max_fds);
  Server server(options);
  const std::string address = server.address().text();
  if (!options.ready_file.empty()) writeFileAtomically(options.ready_file, address + '\n');
  fmt::print("listening on {}\n", address);
  std::fflush(stdout);
  return server.run();
}

}  // namespace fdmortem::demo
