// fdcapture-static loads nothing at run time.
//
// SQLite can load extensions with dlopen(). In a static program that would need the very C library
// that it was linked with, on a host where nothing is known to be; the linker warns of it. Loading
// is off in SQLite unless it is asked for; here it could not even be tried: the linker's --wrap
// puts these functions in the place of the C library's.

extern "C" {

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): --wrap gives the names.
void* __wrap_dlopen(const char* /*path*/, int /*mode*/) {
  return nullptr;
}

void* __wrap_dlsym(void* /*library*/, const char* /*name*/) {
  return nullptr;
}

int __wrap_dlclose(void* /*library*/) {
  return -1;
}

const char* __wrap_dlerror() {
  return "a static program loads no libraries";
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

}  // extern "C"
