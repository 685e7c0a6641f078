/* A disk that fails: stands between a program and the C library for files below one directory.

       cc -shared -fPIC -O2 -o faults.so faults.c -ldl
       FAULT_DIR=/path FAULT_SEED=7 FAULT_EVERY=40 FAULT_CALLS=write,fsync LD_PRELOAD=./faults.so program

   One call in FAULT_EVERY fails, in a way that its kind of call can: with an error, too short, with flipped bits, lost, or late. The
   number of faults is written to FAULT_DIR.count when the program ends. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MOST_FILES = 4096 };

static atomic_uchar is_ours[MOST_FILES];
static atomic_ullong calls, faults;
static const char *directory, *which;
static size_t length;
static unsigned long long seed, every;

__attribute__((constructor)) static void begin(void)
{
    const char *text;
    directory = getenv("FAULT_DIR");
    which = getenv("FAULT_CALLS");
    length = directory ? strlen(directory) : 0;
    seed = (text = getenv("FAULT_SEED")) ? strtoull(text, 0, 10) : 1;
    every = (text = getenv("FAULT_EVERY")) ? strtoull(text, 0, 10) : 0;
}

__attribute__((destructor)) static void end(void)
{
    char path[4096];
    FILE *file;
    if (!length || snprintf(path, sizeof path, "%s.count", directory) >= (int)sizeof path || !(file = fopen(path, "w")))
        return;
    fprintf(file, "%llu\n", (unsigned long long)faults);
    fclose(file);
}

/* A number that differs for each call, 0 for those that do not fail (splitmix64). */
static uint64_t draw(const char *call)
{
    uint64_t z;
    if (!every || (which && !strstr(which, call)))
        return 0;
    z = seed * 0x9E3779B97F4A7C15ull + (calls++) * 0xD1B54A32D192ED03ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    z ^= z >> 31;
    if (z % every)
        return 0;
    faults++;
    return z / every | 1ull << 63;
}

static int below(const char *path) { return length && path && !strncmp(path, directory, length) && (path[length] == '/' || !path[length]); }
static int ours(int file) { return file >= 0 && file < MOST_FILES && is_ours[file]; }
static int fail(int error) { errno = error; return -1; }
static void late(void) { usleep(30000); }
static int any_error(uint64_t z) { static const int e[] = { EIO, ENOSPC, ESTALE, EDQUOT, EROFS, EACCES }; return e[z % 6]; }

static int opened(int file, const char *path)
{
    if (file >= 0 && file < MOST_FILES)
        is_ours[file] = below(path);
    return file;
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define OPEN(name) \
int name(const char *path, int flags, ...) \
{ \
    va_list more; mode_t mode; uint64_t z; REAL(name); \
    va_start(more, flags); mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; va_end(more); \
    if (below(path) && (z = draw("open"))) { if (z % 8 < 6) return fail(any_error(z)); late(); } \
    return opened(real(path, flags, mode), path); \
}
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
int name(int at, const char *path, int flags, ...) \
{ \
    va_list more; mode_t mode; uint64_t z; REAL(name); \
    va_start(more, flags); mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; va_end(more); \
    if (below(path) && (z = draw("open"))) { if (z % 8 < 6) return fail(any_error(z)); late(); } \
    return opened(real(at, path, flags, mode), path); \
}
OPENAT(openat)
OPENAT(openat64)

int close(int file)
{
    REAL(close);
    if (file >= 0 && file < MOST_FILES)
        is_ours[file] = 0;
    return real(file);
}

static ssize_t after_read(uint64_t z, unsigned char *bytes, ssize_t count)
{
    if (!z || count <= 0)
        return count;
    switch (z % 4) {
    case 0: return fail(z & 16 ? EIO : ESTALE);
    case 1: return count / 2;
    case 2: bytes[(z >> 8) % count] ^= 1u << (z >> 40) % 8; return count;
    default: late(); return count;
    }
}

#define PREAD(name, offset_type) \
ssize_t name(int file, void *to, size_t count, offset_type offset) \
{ REAL(name); return after_read(ours(file) ? draw("read") : 0, to, real(file, to, count, offset)); }
PREAD(pread, off_t)
PREAD(pread64, off64_t)

ssize_t read(int file, void *to, size_t count) { REAL(read); return after_read(ours(file) ? draw("read") : 0, to, real(file, to, count)); }

#define PREADV(name, offset_type) \
ssize_t name(int file, const struct iovec *to, int parts, offset_type offset) \
{ REAL(name); ssize_t count = real(file, to, parts, offset); \
  return after_read(ours(file) && count > 0 && (size_t)count <= to[0].iov_len ? draw("read") : 0, to[0].iov_base, count); }
PREADV(preadv, off_t)
PREADV(preadv64, off64_t)

/* Returns how many bytes to write really; -1 with an error, -2 when the write is to be lost. */
static ssize_t before_write(uint64_t z, size_t count)
{
    if (!z)
        return count;
    switch (z % 4) {
    case 0: return fail(any_error(z >> 8));
    case 1: return count / 2 ? (ssize_t)(count / 2) : fail(EIO);
    case 2: return -2;
    default: late(); return count;
    }
}

#define PWRITE(name, offset_type) \
ssize_t name(int file, const void *from, size_t count, offset_type offset) \
{ REAL(name); ssize_t part = before_write(ours(file) ? draw("write") : 0, count); \
  return part == -1 ? -1 : part == -2 ? (ssize_t)count : real(file, from, part, offset); }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int file, const void *from, size_t count)
{
    REAL(write);
    ssize_t part = before_write(ours(file) ? draw("write") : 0, count);
    return part == -1 ? -1 : part == -2 ? (ssize_t)count : real(file, from, part);
}

#define SYNC(name) \
int name(int file) \
{ uint64_t z; REAL(name); \
  if (ours(file) && (z = draw("fsync"))) { if (z % 3 == 0) return fail(EIO); if (z % 3 == 1) return 0; late(); } \
  return real(file); }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name, offset_type) \
int name(int file, offset_type bytes) \
{ uint64_t z; REAL(name); \
  if (ours(file) && (z = draw("truncate"))) { if (z % 4) return fail(any_error(z >> 8)); late(); } \
  return real(file, bytes); }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int rename(const char *from, const char *to)
{
    uint64_t z; REAL(rename);
    if ((below(from) || below(to)) && (z = draw("rename"))) { if (z % 4) return fail(any_error(z >> 8)); late(); }
    return real(from, to);
}

int unlink(const char *path)
{
    uint64_t z; REAL(unlink);
    if (below(path) && (z = draw("unlink"))) { if (z % 4) return fail(any_error(z >> 8)); late(); }
    return real(path);
}

#define MAP(name, offset_type) \
void *name(void *at, size_t bytes, int protection, int flags, int file, offset_type offset) \
{ uint64_t z; REAL(name); \
  if (ours(file) && (z = draw("mmap"))) { if (z % 4) { errno = ENOMEM; return MAP_FAILED; } late(); } \
  return real(at, bytes, protection, flags, file, offset); }
MAP(mmap, off_t)
MAP(mmap64, off64_t)
