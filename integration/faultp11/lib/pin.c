/*
 * Logging in, and counting wrong PINs as smart cards and HSMs do, which SoftHSM
 * does not. The count of a token is in the file "pin-SLOT" of FAULTP11_PINS, which is
 * FAULTP11_STATE unless it is set; the file is locked while a PIN is tried, so that all processes count together.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "faultp11.h"

static int open_count(ck_ulong slot, int operation)
{
	const char *dir = getenv("FAULTP11_PINS");
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s/pin-%lx", dir ? dir : environment("FAULTP11_STATE"), slot);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, operation) != 0)
		fail_test(path, strerror(errno));
	return fd;
}

static long read_count(int fd)
{
	long wrong = 0;

	if (pread(fd, &wrong, sizeof wrong, 0) < 0)
		fail_test("reading the count of wrong PINs", strerror(errno));
	return wrong;
}

static void write_count(int fd, long wrong)
{
	if (pwrite(fd, &wrong, sizeof wrong, 0) != sizeof wrong)
		fail_test("writing the count of wrong PINs", strerror(errno));
}

ck_ulong pin_flags(const struct plan *plan, ck_ulong slot)
{
	const struct directive *more = find_directive(plan, PIN_FLAGS), *limit = find_directive(plan, PIN_LIMIT);
	ck_ulong flags = more ? more->flags : 0;
	long wrong;
	int fd;

	if (!limit)
		return flags;
	fd = open_count(slot, LOCK_SH);
	wrong = read_count(fd);
	close(fd);
	if (wrong > 0)
		flags |= CKF_USER_PIN_COUNT_LOW;
	if (wrong == limit->limit - 1)
		flags |= CKF_USER_PIN_FINAL_TRY;
	if (wrong >= limit->limit)
		flags |= CKF_USER_PIN_LOCKED;
	return flags;
}

/* login_behind logs in; the library behind may not know that the token has
 * forgotten the login. */
static ck_ulong login_behind(struct call *c)
{
	ck_ulong rv;

	if (logged_out())
		REAL(FN_Logout, c->argument[0]);
	rv = forward(c);
	if (rv == CKR_OK)
		logged_in();
	return rv;
}

static ck_ulong login_counted(struct call *c, const struct directive *limit, ck_ulong slot)
{
	int fd = open_count(slot, LOCK_EX);
	long wrong = read_count(fd);
	ck_ulong rv = CKR_PIN_LOCKED;

	if (wrong < limit->limit)
		rv = login_behind(c);
	if (rv == CKR_PIN_LOCKED)
		count(limit, STRUCK);
	if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LEN_RANGE)
		write_count(fd, wrong + 1);
	if (rv == CKR_OK)
		write_count(fd, 0);
	close(fd);
	return rv;
}

ck_ulong login(struct call *c)
{
	const struct directive *limit = find_directive(c->plan, PIN_LIMIT);
	struct session *s;
	ck_ulong slot = 0;

	lock();
	s = find_session(c->argument[0]);
	if (s)
		slot = s->slot;
	unlock();
	if (!limit || !s || c->argument[1] != CKU_USER)
		return login_behind(c);
	return login_counted(c, limit, real_slot(c->plan, slot));
}
