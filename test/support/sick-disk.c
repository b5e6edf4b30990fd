/*
 * A disk that falls ill, for tests: preloaded into a process, it reads one word from the file that
 * SICK_DISK names before each write or sync of a file, and does what it says: "stall" (5 s a sync), or a
 * failure "ENOSPC", "EIO", "EROFS". Anything else, or no such file: a healthy disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int illness(void) {
  const char *path = getenv("SICK_DISK");
  char word[16] = {0};
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return 0;
  ssize_t got = read(fd, word, sizeof word - 1);
  close(fd);
  if (got <= 0) return 0;
  if (strncmp(word, "stall", 5) == 0) return -1;
  if (strncmp(word, "ENOSPC", 6) == 0) return ENOSPC;
  if (strncmp(word, "EIO", 3) == 0) return EIO;
  if (strncmp(word, "EROFS", 5) == 0) return EROFS;
  return 0;
}

static int sick_sync(int fd, const char *name) {
  int ill = illness();
  if (ill == -1) sleep(5);
  if (ill == EIO) { errno = ill; return -1; }
  return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fsync(int fd) { return sick_sync(fd, "fsync"); }
int fdatasync(int fd) { return sick_sync(fd, "fdatasync"); }

static ssize_t sick_write(int fd, const void *bytes, size_t count, off_t at, const char *name) {
  int ill = illness();
  if (ill > 0) { errno = ill; return -1; }
  return ((ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, name))(fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *b, size_t n, off_t at) { return sick_write(fd, b, n, at, "pwrite"); }
ssize_t pwrite64(int fd, const void *b, size_t n, off_t at) { return sick_write(fd, b, n, at, "pwrite64"); }
