/*
 * Counters that processes share: the file "counters" in FAULTP11_STATE, in which
 * directive N has two 64-bit numbers from byte 16 N on: calls that it was for, and
 * calls that it struck. Those of directive 0, which is none, count the starts of the
 * library.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "faultp11.h"

enum { DIRECTIVES = 1 << 16 };

struct counters {
	_Atomic long of[2];
};

static struct counters *shared;

static void map(void)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s/counters", environment("FAULTP11_STATE"));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, DIRECTIVES * sizeof *shared) != 0)
		fail_test(path, strerror(errno));
	shared = mmap(NULL, DIRECTIVES * sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		fail_test(path, strerror(errno));
	close(fd);
}

static struct counters *counters(long id)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, map);
	if (id < 0 || id >= DIRECTIVES)
		fail_test("counting", "a directive's number is too large");
	return &shared[id];
}

long count(const struct directive *d, enum counter which)
{
	return atomic_fetch_add(&counters(d->id)->of[which], 1);
}

void uncount(const struct directive *d, enum counter which)
{
	atomic_fetch_sub(&counters(d->id)->of[which], 1);
}

long ordinal(void)
{
	return atomic_fetch_add(&counters(0)->of[0], 1) + 1;
}
