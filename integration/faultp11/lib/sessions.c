/*
 * Sessions, the login, and whether there is a token at all.
 *
 * A session that was made invalid stays open in the library behind: closing the
 * last one would log out there, which is another fault.
 */
#include <stdlib.h>
#include <string.h>

#include "faultp11.h"

static struct session *sessions;
static long invalidated, forgotten; /* the directives already acted on */
static int login_lost;
static int was_absent; /* since C_Initialize */

struct session *find_session(ck_ulong handle)
{
	struct session *s = sessions;

	while (s && s->handle != handle)
		s = s->next;
	return s;
}

static void invalidate_all(void)
{
	struct session *s;

	for (s = sessions; s; s = s->next)
		s->dead = 1;
}

int token_absent(const struct plan *plan)
{
	return find_directive(plan, ABSENT) || (was_absent && find_directive(plan, CACHED_SLOTS));
}

void sessions_notice(const struct plan *plan)
{
	const struct directive *invalid = find_directive(plan, SESSIONS_INVALID);
	const struct directive *out = find_directive(plan, LOGGED_OUT);

	lock();
	if (invalid && invalid->id != invalidated) {
		invalidated = invalid->id;
		invalidate_all();
	}
	if (out && out->id != forgotten) {
		forgotten = out->id;
		login_lost = sessions != NULL;
	}
	if (find_directive(plan, ABSENT)) {
		was_absent = 1;
		login_lost |= sessions != NULL;
		invalidate_all();
	}
	unlock();
}

int logged_out(void)
{
	int lost;

	lock();
	lost = login_lost;
	unlock();
	return lost;
}

void logged_in(void)
{
	lock();
	login_lost = 0;
	unlock();
}

/* needs_login tells whether a function uses or makes private objects. */
static int needs_login(int function)
{
	const char *kinds = function_arguments(function);

	if (strpbrk(kinds, "oP"))
		return 1;
	switch (function) {
	case FN_Encrypt:
	case FN_EncryptUpdate:
	case FN_EncryptFinal:
	case FN_Decrypt:
	case FN_DecryptUpdate:
	case FN_DecryptFinal:
	case FN_Sign:
	case FN_SignUpdate:
	case FN_SignFinal:
		return 1;
	default:
		return 0;
	}
}

ck_ulong sessions_refuse(struct call *c)
{
	int at = argument_at(c->function, 's'), dead = 0, lost;
	struct session *s;

	if (at < 0)
		return CKR_OK;
	lock();
	s = find_session(c->argument[at]);
	if (s)
		dead = s->dead;
	lost = login_lost;
	unlock();
	if (s && token_absent(c->plan))
		return find_directive(c->plan, ABSENT) ? CKR_DEVICE_REMOVED : CKR_SESSION_HANDLE_INVALID;
	if (dead)
		return CKR_SESSION_HANDLE_INVALID;
	return lost && needs_login(c->function) ? CKR_USER_NOT_LOGGED_IN : CKR_OK;
}

/* expire makes a session invalid that was idle too long before a call. */
static void expire(struct session *s, const struct plan *plan)
{
	const struct directive *idle = find_directive(plan, IDLE);

	if (idle && !s->dead && !s->running && now() - s->used > idle->ms * 1000000) {
		s->dead = 1;
		count(idle, STRUCK);
	}
}

void session_begin(struct call *c)
{
	int at = argument_at(c->function, 's');
	struct session *s;

	if (at < 0)
		return;
	lock();
	s = find_session(c->argument[at]);
	if (s) {
		expire(s, c->plan);
		if (s->running++ > 0)
			remark(c, "two-threads");
	}
	unlock();
}

void session_end(struct call *c)
{
	int at = argument_at(c->function, 's');
	struct session *s;

	if (at < 0)
		return;
	lock();
	s = find_session(c->argument[at]);
	if (s) {
		s->running--;
		s->used = now();
	}
	unlock();
}

/* forget drops the sessions of a slot, or all. */
static void forget(int all, ck_ulong slot)
{
	struct session **at = &sessions, *s;

	while ((s = *at)) {
		if (!all && s->slot != slot) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		free(s);
	}
}

void sessions_forget(void)
{
	lock();
	forget(1, 0);
	login_lost = was_absent = 0;
	unlock();
}

static long live_sessions(void)
{
	struct session *s;
	long n = 0;

	for (s = sessions; s; s = s->next)
		n += !s->dead;
	return n;
}

ck_ulong open_session(struct call *c)
{
	const struct directive *most = find_directive(c->plan, MAX_SESSIONS);
	struct session *s;
	ck_ulong rv;
	long live;

	lock();
	live = live_sessions();
	unlock();
	if (most && live >= most->limit) {
		count(most, STRUCK);
		return most->answers ? most->rv : CKR_SESSION_COUNT;
	}
	rv = forward(c);
	if (rv != CKR_OK)
		return rv;
	s = calloc(1, sizeof *s);
	if (!s)
		fail_test("opening a session", "no memory");
	s->handle = *(ck_ulong *)c->argument[4];
	s->slot = c->argument[0];
	s->used = now();
	lock();
	s->next = sessions;
	sessions = s;
	unlock();
	return CKR_OK;
}

ck_ulong close_session(struct call *c)
{
	struct session **at, *s;
	ck_ulong rv = forward(c);

	if (rv != CKR_OK)
		return rv;
	lock();
	for (at = &sessions; (s = *at); at = &s->next) {
		if (s->handle == c->argument[0]) {
			*at = s->next;
			free(s);
			break;
		}
	}
	unlock();
	return rv;
}

ck_ulong close_all_sessions(struct call *c)
{
	ck_ulong rv = forward(c);

	if (rv == CKR_OK) {
		lock();
		forget(0, c->argument[0]);
		unlock();
	}
	return rv;
}

ck_ulong session_info(struct call *c)
{
	struct ck_session_info *info = (struct ck_session_info *)c->argument[1];
	ck_ulong rv = forward(c);
	struct session *s;

	if (rv != CKR_OK)
		return rv;
	lock();
	s = find_session(c->argument[0]);
	if (s)
		info->slot = s->slot;
	unlock();
	if (logged_out())
		info->state = CKS_RW_PUBLIC_SESSION;
	return rv;
}

ck_ulong logout(struct call *c)
{
	return logged_out() ? CKR_USER_NOT_LOGGED_IN : forward(c);
}
