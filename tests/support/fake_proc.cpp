#include "tests/support/fake_proc.h"

#include <filesystem>

#include <fmt/core.h>

namespace fdmortem::test {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kTcpHeader =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode\n";
constexpr std::string_view kUdpHeader =
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode ref pointer drops\n";
constexpr std::string_view kUnixHeader =
    "Num       RefCount Protocol Flags    Type St Inode Path\n";
constexpr std::string_view kLimits =
    "Limit                     Soft Limit           Hard Limit           Units     \n"
    "Max open files            1024                 4096                 files     \n";

}  // namespace

FakeProc::FakeProc() {
  fs::create_directories(folder_.path() / "sys/fs");
  write("sys/fs/file-nr", "992\t0\t9223372036854775807\n");
  write("sys/fs/nr_open", "1048576\n");
  write("sys/fs/file-max", "9223372036854775807\n");
  write("uptime", "350735.47 234388.90\n");
}

void FakeProc::setFiles(const std::string& directory, int32_t pid, const FakeProcess& process) {
  fs::create_directories(folder_.path() / directory / "fd");
  fs::create_directories(folder_.path() / directory / "fdinfo");
  fs::create_directories(folder_.path() / directory / "ns");
  fs::create_directories(folder_.path() / directory / "net");
  write(directory + "/stat",
        fmt::format("{} ({}) {} 1 {} {} 0 -1 {} 0 0 0 0 0 0 0 0 20 0 {} 0 {} 20328448 3021 "
                    "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
                    pid, process.comm, process.state, pid, pid, process.flags, process.thread_count,
                    process.start_ticks));
  link(directory + "/ns/net", fmt::format("net:[{}]", process.netns));
  write(directory + "/net/tcp", kTcpHeader);
  write(directory + "/net/tcp6", kTcpHeader);
  write(directory + "/net/udp", kUdpHeader);
  write(directory + "/net/unix", kUnixHeader);
}

void FakeProc::setProcess(int32_t pid, const FakeProcess& process) {
  removeProcess(pid);
  const std::string directory = std::to_string(pid);
  setFiles(directory, pid, process);
  write(directory + "/status", "Name:\tserver\nUid:\t1000\t1001\t1000\t1000\n");
  write(directory + "/limits", kLimits);
  write(directory + "/cgroup", "0::" + process.cgroup + "\n");
  write(directory + "/cmdline", process.comm + '\0' + "-x" + '\0');
  write(directory + "/comm", process.comm + "\n");
  if (!process.exe.empty()) link(directory + "/exe", process.exe);
}

void FakeProc::removeProcess(int32_t pid) {
  fs::remove_all(folder_.path() / std::to_string(pid));
}

void FakeProc::addThread(int32_t pid, int32_t tid, const FakeProcess& process) {
  setFiles(fmt::format("{}/task/{}", pid, tid), tid, process);
}

void FakeProc::openFd(const std::string& process, int32_t fd, const std::string& target) {
  link(fmt::format("{}/fd/{}", process, fd), target);
  const size_t bracket = target.find(":[");
  const std::string inode =
      bracket == std::string::npos ? "77" : target.substr(bracket + 2, target.size() - bracket - 3);
  write(fmt::format("{}/fdinfo/{}", process, fd),
        fmt::format("pos:\t0\nflags:\t02\nmnt_id:\t9\nino:\t{}\n", inode));
}

void FakeProc::closeFd(const std::string& process, int32_t fd) {
  remove(fmt::format("{}/fd/{}", process, fd));
  remove(fmt::format("{}/fdinfo/{}", process, fd));
}

void FakeProc::write(const std::string& path, std::string_view content) {
  remove(path);
  writeFile(folder_.file(path), content);
}

void FakeProc::link(const std::string& path, const std::string& target) {
  remove(path);
  fs::create_symlink(target, folder_.path() / path);
}

void FakeProc::remove(const std::string& path) {
  fs::remove_all(folder_.path() / path);
}

void FakeProc::makeUnreadable(const std::string& path) {
  link(path, folder_.file(path));
}

void FakeProc::setTcp(int32_t pid, const std::vector<std::string>& rows, std::string_view table) {
  std::string text(kTcpHeader);
  for (const std::string& row : rows)
    text += row;
  write(fmt::format("{}/net/{}", pid, table), text);
}

std::string tcpTableRow(uint64_t inode, uint8_t state, uint16_t local_port, uint16_t remote_port) {
  return fmt::format(
      "   0: 0100007F:{:04X} 0100007F:{:04X} {:02X} 00000000:00000000 00:00000000 00000000  1000"
      "        0 {} 1 0000000000000000 20 4 30 10 -1\n",
      local_port, remote_port, state, inode);
}

}  // namespace fdmortem::test
