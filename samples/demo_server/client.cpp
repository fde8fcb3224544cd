#include "samples/demo_server/client.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace fdmortem::demo {

namespace {

constexpr std::string_view kMetric = "demo_last_push_size_bytes 42\n";
constexpr auto kIdleTime = std::chrono::seconds(2);

}  // namespace

Exchange lineExchange() {
  return {.request = "ping\n", .answer_start = "ok", .answer_end = "\n"};
}

Exchange httpPush(const std::string& path) {
  return {
      .request = fmt::format("PUT {} HTTP/1.1\r\nHost: pushgateway\r\nContent-Type: text/plain\r\n"
                             "Content-Length: {}\r\n\r\n{}",
                             path, kMetric.size(), kMetric),
      .answer_start = "HTTP/1.1 200 ",  // has no body
      .answer_end = "\r\n\r\n"};
}

Client::Client(ClientOptions options)
    : options_(std::move(options)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_.get() < 0) throwErrno("epoll_create1");
}

void Client::open() {
  try {
    Connection connection;
    connection.fd = startConnection(options_.server, options_.source);
    connection.requests_left = options_.requests;
    connection.since = Clock::now();
    watch(EPOLL_CTL_ADD, connection, next_id_, EPOLLOUT);
    connections_.emplace(next_id_, std::move(connection));
    ++next_id_;
    ++busy_count_;
  } catch (const std::system_error&) {
    ++counters_.failed;
  }
}

void Client::handleEvents() {
  std::array<epoll_event, 256> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  if (count < 0 && errno != EINTR) throwErrno("epoll_wait");
  for (const epoll_event& event :
       std::span(events).first(static_cast<size_t>(std::max(count, 0)))) {
    const auto connection = connections_.find(event.data.u64);
    if (connection != connections_.end()) handleConnection(connection);
  }
}

void Client::giveUpLate() {
  const auto now = Clock::now();
  for (auto next = connections_.begin(); next != connections_.end();) {
    const auto connection = next++;  // it may go
    const Connection& self = connection->second;
    if (self.state != State::Idle && now - self.since >= options_.timeout) fail(connection);
  }
}

void Client::endHeld() {
  if (options_.ending == Ending::Stay) return;
  const auto now = Clock::now();
  for (auto next = connections_.begin(); next != connections_.end();) {
    const auto connection = next++;  // it may go
    const Connection& self = connection->second;
    if (self.state == State::Idle && now - self.since >= options_.hold) {
      end(connection, options_.ending);
    }
  }
}

void Client::askAgain() {
  const auto now = Clock::now();
  for (auto next = connections_.begin(); next != connections_.end();) {
    const auto connection = next++;  // it may go
    const Connection& self = connection->second;
    if (self.state != State::Idle || now - self.since < kIdleTime) continue;
    ++busy_count_;
    request(connection, State::Asking);
  }
}

void Client::endOldest(size_t count, Ending ending) {
  for (size_t i = 0; i < count && !connections_.empty(); ++i)
    end(connections_.begin(), ending);
}

void Client::handleConnection(Connections::iterator connection) {
  if (connection->second.state == State::Connecting) {
    finishConnecting(connection);
  } else {
    takeAnswer(connection);
  }
}

void Client::finishConnecting(Connections::iterator connection) {
  if (takeSocketError(connection->second.fd.get()) != 0) return fail(connection);
  ++counters_.opened;
  watch(EPOLL_CTL_MOD, connection->second, connection->first, EPOLLIN);
  request(connection, State::Waiting);
}

void Client::takeAnswer(Connections::iterator connection) {
  Connection& self = connection->second;
  std::array<char, 1024> buffer{};
  const ssize_t size = ::recv(self.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0 || self.state == State::Idle) return fail(connection);
  self.answer.append(buffer.data(), static_cast<size_t>(size));
  if (self.answer.find(options_.exchange.answer_end) == std::string::npos) return;
  if (!self.answer.starts_with(options_.exchange.answer_start)) return fail(connection);
  if (self.state == State::Waiting) {
    if (--self.requests_left > 0) return request(connection, State::Waiting);
    ++counters_.answered;
  }
  --busy_count_;
  self.state = State::Idle;
  self.since = Clock::now();
  if (options_.ending != Ending::Stay && options_.hold.count() == 0) {
    end(connection, options_.ending);
  }
}

void Client::request(Connections::iterator connection, State state) {
  Connection& self = connection->second;
  self.state = state;
  self.since = Clock::now();
  self.answer.clear();
  // There is never more than one request under way, so there is room for it.
  const std::string& text = options_.exchange.request;
  const ssize_t size = ::send(self.fd.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (size != static_cast<ssize_t>(text.size())) fail(connection);
}

void Client::fail(Connections::iterator connection) {
  ++counters_.failed;
  end(connection, Ending::Close);
}

void Client::end(Connections::iterator connection, Ending ending) {
  if (connection->second.state != State::Idle) --busy_count_;
  const int fd = connection->second.fd.get();
  if (ending == Ending::Reset) resetOnClose(fd);
  if (ending == Ending::HalfClose) ::shutdown(fd, SHUT_WR);  // fails where the server was faster
  connections_.erase(connection);
}

void Client::watch(int operation, const Connection& connection, uint64_t id,
                   uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (::epoll_ctl(epoll_.get(), operation, connection.fd.get(), &event) != 0) {
    throwErrno("epoll_ctl");
  }
}

}  // namespace fdmortem::demo
