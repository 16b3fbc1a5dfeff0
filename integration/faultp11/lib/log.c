/*
 * The log of calls: a line for each, when it has ended, with the process, the
 * time (nanoseconds since 1970), the function, the return code (hexadecimal), the
 * session (hexadecimal), the object (decimal), the mechanism (hexadecimal) and a
 * remark. What a call does not have is 0, the mechanism all ones and the remark "-".
 *
 * The object is the new one, the private key of a pair, or the last one given:
 * of C_WrapKey the key that is wrapped. Remarks are words with commas between:
 *
 *   struck       a directive disturbed the call
 *   killed       and the process ends in it
 *   length-only  the call asked only how long its result is
 *   two-threads  another call was under way in the session
 *   order        a call out of the order that the standard wants
 *   and those of cloudhsm.c
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "faultp11.h"

static ck_ulong object_of(const struct call *c)
{
	const char *kinds = function_arguments(c->function);
	ck_ulong object = 0;
	int i, makes = argument_at(c->function, 'P') >= 0;

	for (i = 0; kinds[i]; i++) {
		if (makes && kinds[i] == 'P' && c->rv == CKR_OK)
			object = *(ck_ulong *)c->argument[i];
		if (!makes && kinds[i] == 'o')
			object = c->argument[i];
	}
	return object;
}

static void append(const char *path, const char *line, size_t length)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, line, length) != (ssize_t)length)
		fail_test("a log with gaps would prove nothing", strerror(errno));
	close(fd);
}

void log_call(const struct call *c)
{
	const char *path = getenv("FAULTP11_LOG");
	int session = argument_at(c->function, 's');
	ck_ulong handle = session < 0 ? 0 : c->argument[session];
	const char *length = asks_length(c) ? "length-only" : c->remark[0] ? "" : "-";
	struct timespec t;
	char line[256];
	int n;

	if (!path)
		return;
	clock_gettime(CLOCK_REALTIME, &t);
	n = snprintf(line, sizeof line, "%d %ld %s %#lx %#lx %lu %#lx %s%s%s\n", (int)getpid(), t.tv_sec * NANOSECONDS + t.tv_nsec,
		function_name(c->function), c->rv, handle, object_of(c), c->mechanism,
		c->remark, c->remark[0] && length[0] ? "," : "", length);
	append(path, line, (size_t)n);
}
