#include "tests/support/actor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace fdmortem::test {

namespace {

constexpr auto kForever = std::chrono::hours(1);
constexpr const char* kFailure = "failure";

std::pair<FileHandle, FileHandle> makePipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe2");
  }
  return {FileHandle(fds[0]), FileHandle(fds[1])};
}

/// Leaves open the standard fds, as /dev/null, and the given ones.
void closeOthers(std::vector<int> kept) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int fd : {0, 1, 2})
    ::dup2(null, fd);
  std::sort(kept.begin(), kept.end());
  unsigned first = 3;
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number > first) ::close_range(first, number - 1, 0);
    first = std::max(first, number + 1);
  }
  ::close_range(first, ~0U, 0);
}

FileHandle moved(FileHandle fd, int number) {
  if (fd.get() == number) return fd;
  if (::dup3(fd.get(), number, O_CLOEXEC) < 0) ::_exit(1);
  return FileHandle(number);
}

/// The channel with the two lowest numbers from 3 on that are not kept: tests of limits count on
/// them. No third number is taken meanwhile: a limit may allow none.
Channel lowered(FileHandle reader, FileHandle writer, std::vector<int>& kept) {
  std::vector<int> numbers;
  for (int number = 3; numbers.size() < 2; ++number) {
    if (std::find(kept.begin(), kept.end(), number) == kept.end()) numbers.push_back(number);
  }
  kept.insert(kept.end(), numbers.begin(), numbers.end());
  if (reader.get() == numbers[1] || writer.get() == numbers[0]) std::swap(numbers[0], numbers[1]);
  FileHandle input = moved(std::move(reader), numbers[0]);
  return {std::move(input), moved(std::move(writer), numbers[1])};
}

[[noreturn]] void play(const Actor::Part& part, Channel& channel) {
  int status = 0;
  try {
    Cue cue(channel);
    part(cue);
  } catch (const std::exception& error) {
    channel.say({{kFailure, error.what()}});
    status = 1;
  }
  ::_exit(status);
}

}  // namespace

void Channel::say(const Json& message) {
  std::string line = message.dump() + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t size = ::write(output_.get(), rest.data(), rest.size());
    if (size < 0 && errno != EINTR) return;  // nobody listens: who waits for an answer finds out
    rest.remove_prefix(static_cast<size_t>(std::max<ssize_t>(size, 0)));
  }
}

std::optional<Json> Channel::hear(std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  size_t newline = text_.find('\n');
  while (newline == std::string::npos) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd ready{input_.get(), POLLIN, 0};
    if (left.count() <= 0) return {};
    if (::poll(&ready, 1, static_cast<int>(left.count())) <= 0) continue;
    std::array<char, 65'536> buffer{};
    const ssize_t size = ::read(input_.get(), buffer.data(), buffer.size());
    if (size == 0 || (size < 0 && errno != EINTR)) return {};
    text_.append(buffer.data(), static_cast<size_t>(std::max<ssize_t>(size, 0)));
    newline = text_.find('\n');
  }
  Json message = Json::parse(text_.substr(0, newline));
  text_.erase(0, newline + 1);
  return message;
}

Json Cue::await() {
  auto message = channel_.hear(kForever);
  if (!message) ::_exit(0);
  return std::move(*message);
}

Actor::Actor(const Part& part, std::vector<int> kept_fds) {
  ::signal(SIGPIPE, SIG_IGN);
  auto [cue_reader, cue_writer] = makePipe();
  auto [answer_reader, answer_writer] = makePipe();
  const pid_t test = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != test) ::_exit(1);  // it ended before the line above
    Channel channel = lowered(std::move(cue_reader), std::move(answer_writer), kept_fds);
    closeOthers(std::move(kept_fds));
    play(part, channel);
  }
  channel_.emplace(std::move(answer_reader), std::move(cue_writer));
}

Json Actor::hear() {
  auto message = channel_->hear(kDeadline);
  if (!message) throw std::runtime_error("the actor says nothing");
  if (message->is_object() && message->contains(kFailure)) {
    throw std::runtime_error(message->at(kFailure).get<std::string>());
  }
  return std::move(*message);
}

void Actor::dismiss() {
  channel_.reset();
  is_reaped_ = waitFor([this] { return ::waitpid(pid_, nullptr, WNOHANG) == pid_; });
  if (!is_reaped_) throw std::runtime_error("the actor does not end");
}

void Actor::kill() {
  if (is_reaped_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  is_reaped_ = true;
}

}  // namespace fdmortem::test
