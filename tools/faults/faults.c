/* Preloaded by tools/faults: counts the calls of the C library that touch the files of one folder, or that ask for
 * memory or threads, and makes one of them fail, or all from it on. These are the calls that CPython 3.11 makes here,
 * except isatty, whose failure is an answer; `strace -f -y` shows the same ones. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OFF, FILES, MEMORY };  /* what is counted */
enum { KILL = 0, HALF = -1 }; /* what happens to it; else an errno */

static atomic_int counting;
static atomic_long calls;
static long first, last;
static int fault;
static char folder[4096], log_text[1 << 20];
static size_t log_length;

void faults_arm(int what, const char *of, long from, long to, int with) {
    snprintf(folder, sizeof folder, "%s", of);
    atomic_store(&calls, 0);
    first = from, last = to, fault = with, log_length = 0;
    counting = what;
}
long faults_disarm(void) {
    counting = OFF;
    return calls;
}
/* One line for each file call: its name, an argument that tells calls apart, and its path. */
const char *faults_log(void) { return log_text; }

/* 0, or what is to happen instead of the call. */
static int due(void) {
    const long call = ++calls;
    if (call < first || call > last) return 0;
    if (fault == KILL) kill(getpid(), SIGKILL);
    return fault;
}

static int file_call(const char *name, const char *path) {
    if (counting != FILES || strncmp(path, folder, strlen(folder))) return 0;
    counting = OFF;
    log_length += (size_t)snprintf(log_text + log_length, sizeof log_text - log_length, "%s %s\n", name, path);
    counting = FILES;
    return due();
}

static int descriptor_call(const char *name, int descriptor) {
    if (counting != FILES) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t (*real)(const char *, char *, size_t) = dlsym(RTLD_NEXT, "readlink");
    const ssize_t length = real(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return file_call(name, path);
}

#define REAL(name, ...) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))(__VA_ARGS__)
#define INSTEAD(expression, failure)                                                                                   \
    do {                                                                                                               \
        const int instead_ = (expression);                                                                             \
        if (instead_ > 0) {                                                                                            \
            errno = instead_;                                                                                          \
            return failure;                                                                                            \
        }                                                                                                              \
    } while (0)
#define BY_PATH(type, name, failure, parameters, path, ...)                                                            \
    type name parameters {                                                                                             \
        INSTEAD(file_call(#name, path), failure);                                                                      \
        return REAL(name, __VA_ARGS__);                                                                                \
    }
#define BY_DESCRIPTOR(type, name, parameters, descriptor, ...)                                                         \
    type name parameters {                                                                                             \
        INSTEAD(descriptor_call(#name, descriptor), -1);                                                               \
        return REAL(name, __VA_ARGS__);                                                                                \
    }

BY_PATH(int, stat64, -1, (const char *restrict path, struct stat64 *restrict to), path, path, to)
BY_PATH(int, lstat64, -1, (const char *restrict path, struct stat64 *restrict to), path, path, to)
BY_PATH(int, mkdir, -1, (const char *path, mode_t mode), path, path, mode)
BY_PATH(int, unlink, -1, (const char *path), path, path)
BY_PATH(int, rename, -1, (const char *from, const char *to), to, from, to)
BY_PATH(DIR *, opendir, NULL, (const char *path), path, path)
BY_PATH(ssize_t, readlink, -1, (const char *restrict path, char *restrict to, size_t size), path, path, to, size)
BY_DESCRIPTOR(int, fstat64, (int file, struct stat64 *to), file, file, to)
BY_DESCRIPTOR(off64_t, lseek64, (int file, off64_t to, int from), file, file, to, from)
BY_DESCRIPTOR(int, ftruncate64, (int file, off64_t size), file, file, size)
BY_DESCRIPTOR(int, fchmod, (int file, mode_t mode), file, file, mode)
BY_DESCRIPTOR(int, flock, (int file, int how), file, file, how)

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    INSTEAD(file_call("open64", path), -1);
    return REAL(open64, path, flags, mode);
}
int fcntl64(int file, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    INSTEAD(descriptor_call("fcntl64", file), -1);
    return REAL(fcntl64, file, command, argument);
}
struct dirent64 *readdir64(DIR *directory) {
    INSTEAD(descriptor_call("readdir64", dirfd(directory)), NULL);
    return REAL(readdir64, directory);
}
/* As Linux has it: the descriptor is gone, whatever close says. */
int close(int file) {
    const int instead = descriptor_call("close", file), result = REAL(close, file);
    if (instead > 0) errno = instead;
    return instead > 0 ? -1 : result;
}
/* No test waits for a disk. */
int fsync(int file) {
    INSTEAD(descriptor_call("fsync", file), -1);
    return 0;
}
ssize_t read(int file, void *to, size_t size) {
    const int instead = descriptor_call("read", file);
    if (instead > 0) return errno = instead, -1;
    return REAL(read, file, to, instead == HALF && size > 1 ? size / 2 : size);
}
/* Of one buffer, as Python's os.preadv has it here. */
ssize_t preadv64v2(int file, const struct iovec *to, int count, off64_t at, int flags) {
    const int instead = descriptor_call("preadv64v2", file);
    if (instead > 0) return errno = instead, -1;
    struct iovec some = *to;
    if (instead == HALF && some.iov_len > 1) some.iov_len /= 2;
    return REAL(preadv64v2, file, &some, count, at, flags);
}
ssize_t write(int file, const void *from, size_t size) {
    const int instead = descriptor_call("write", file);
    if (instead > 0) return errno = instead, -1;
    return REAL(write, file, from, instead == HALF && size > 1 ? size / 2 : size);
}

void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *malloc(size_t size) {
    if (counting == MEMORY && due()) return errno = ENOMEM, NULL;
    return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
    if (counting == MEMORY && due()) return errno = ENOMEM, NULL;
    return __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) {
    if (counting == MEMORY && due()) return errno = ENOMEM, NULL;
    return __libc_realloc(old, size);
}
int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*start)(void *),
                   void *restrict argument) {
    if (counting == MEMORY && due()) return EAGAIN;
    return REAL(pthread_create, thread, attributes, start, argument);
}
