/*
 * A PKCS#11 library that passes every call on to another one, writes it down,
 * and disturbs those that a test wants disturbed.
 *
 * The environment says where things are:
 *
 *   FAULTP11_LIBRARY  the library to pass calls on to
 *   FAULTP11_CONTROL  the control file: what to disturb
 *   FAULTP11_STATE    a directory for what processes share: counters, PIN tries
 *   FAULTP11_PINS     another directory for the PIN tries; optional
 *   FAULTP11_LOG      the file to append a line to for each call; optional
 *
 * The grammar of the control file is in control.c, that of the log in log.c.
 *
 * Here is how a call goes: the control file is looked at, then come the
 * disturbances that a test ordered for this function (strike.c), then what the
 * state of sessions, login and token makes impossible (sessions.c), then the
 * function itself with what is special about it, at last the disturbances that
 * come after and the log.
 *
 * PKCS#11 functions have at most eight arguments, each a word; so one function
 * can stand for all of them.
 */
#include "faultp11.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cloudhsm.h"

typedef ck_ulong (*any_function)(ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong);
typedef ck_ulong (*handler)(struct call *);

static struct function_list *real, faulty;
static pthread_mutex_t state = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int running;

#define FUNCTION_NAME(name, arguments) { "C_" #name, arguments },
static const struct {
	const char *name, *arguments;
} functions[] = { FUNCTIONS(FUNCTION_NAME) };

void lock(void)
{
	pthread_mutex_lock(&state);
}

void unlock(void)
{
	pthread_mutex_unlock(&state);
}

long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NANOSECONDS + t.tv_nsec;
}

_Noreturn void fail_test(const char *what, const char *detail)
{
	fprintf(stderr, "faultp11: %s: %s\n", what, detail);
	abort();
}

const char *environment(const char *name)
{
	const char *value = getenv(name);

	if (!value)
		fail_test("not in the environment", name);
	return value;
}

const char *function_name(int function)
{
	return functions[function].name;
}

const char *function_arguments(int function)
{
	return functions[function].arguments;
}

int argument_at(int function, char kind)
{
	const char *found = strchr(functions[function].arguments, kind);

	return found ? (int)(found - functions[function].arguments) : -1;
}

struct ck_mechanism *mechanism_of(const struct call *c)
{
	int at = argument_at(c->function, 'm');

	return at < 0 ? NULL : (struct ck_mechanism *)c->argument[at];
}

void remark(struct call *c, const char *word)
{
	size_t have = strlen(c->remark);

	if (!strstr(c->remark, word))
		snprintf(c->remark + have, sizeof c->remark - have, "%s%s", have ? "," : "", word);
}

ck_ulong real_call(int function, const ck_ulong a[ARGUMENTS])
{
	return ((any_function)real->function[function])(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
}

ck_ulong forward(struct call *c)
{
	const char *kinds = functions[c->function].arguments;
	ck_ulong a[ARGUMENTS], rv;
	int i;

	c->forwarded = 1;
	memcpy(a, c->argument, sizeof a);
	for (i = 0; kinds[i]; i++) {
		if (kinds[i] == 'o')
			a[i] = real_handle(a[i]);
		if (kinds[i] == 'S')
			a[i] = real_slot(c->plan, a[i]);
	}
	rv = real_call(c->function, a);
	for (i = 0; rv == CKR_OK && kinds[i]; i++) {
		ck_ulong *made = (ck_ulong *)a[i];

		if (kinds[i] == 'P') {
			made_here(c->plan, *made);
			*made = given_handle(*made);
		}
	}
	return rv;
}

static ck_ulong initialize(struct call *c)
{
	ck_ulong rv = forward(c);

	if (rv == CKR_OK)
		handles_begin(c->plan);
	return rv;
}

static ck_ulong finalize(struct call *c)
{
	const struct directive *d = find_directive(c->plan, OVERLAP);
	ck_ulong rv;

	if (d && running > 1)
		count(d, STRUCK);
	rv = forward(c);
	if (rv == CKR_OK)
		sessions_forget();
	return rv;
}

/* handlers are of the functions about which something is special. */
static const handler handlers[FUNCTION_COUNT] = {
	[FN_Initialize] = initialize,
	[FN_Finalize] = finalize,
	[FN_GetSlotList] = slot_list,
	[FN_GetSlotInfo] = slot_info,
	[FN_GetTokenInfo] = token_info,
	[FN_OpenSession] = open_session,
	[FN_CloseSession] = close_session,
	[FN_CloseAllSessions] = close_all_sessions,
	[FN_GetSessionInfo] = session_info,
	[FN_Login] = login,
	[FN_Logout] = logout,
	[FN_DestroyObject] = destroy_object,
	[FN_FindObjectsInit] = find_objects_init,
	[FN_FindObjects] = find_objects,
	[FN_EncryptInit] = encrypt_init,
	[FN_Encrypt] = encrypt,
	[FN_Decrypt] = decrypt,
};

/* carry_out does what the caller wants, as far as the state of things allows. */
static ck_ulong carry_out(struct call *c)
{
	handler carry = handlers[c->function] ? handlers[c->function] : forward;
	ck_ulong rv = slots_refuse(c);

	if (rv == CKR_OK)
		rv = sessions_refuse(c);
	if (rv != CKR_OK)
		return rv;
	rv = find_directive(c->plan, CLOUDHSM) ? cloudhsm_call(c, carry) : carry(c);
	if (c->forwarded)
		operation_end(c, rv);
	return rv;
}

/* again looks at the control file again if the call may have waited. */
static void again(struct call *c)
{
	if (!c->remark[0])
		return;
	plan_end(c->plan);
	c->plan = plan_now();
	sessions_notice(c->plan);
}

static ck_ulong pass(int function, ck_ulong a, ck_ulong b, ck_ulong c, ck_ulong d, ck_ulong e, ck_ulong f, ck_ulong g, ck_ulong h)
{
	struct call call = { .function = function, .argument = { a, b, c, d, e, f, g, h }, .plan = plan_now() };

	running++;
	sessions_notice(call.plan);
	session_begin(&call);
	operation_begin(&call);
	if (!strike_before(&call)) {
		again(&call);
		call.rv = carry_out(&call);
	}
	strike_after(&call);
	log_call(&call);
	session_end(&call);
	plan_end(call.plan);
	running--;
	return call.rv;
}

#define WRAPPER(name, arguments) \
	static ck_ulong pass_##name(ck_ulong a, ck_ulong b, ck_ulong c, ck_ulong d, ck_ulong e, ck_ulong f, ck_ulong g, ck_ulong h) \
	{ \
		return pass(FN_##name, a, b, c, d, e, f, g, h); \
	}
FUNCTIONS(WRAPPER)

__attribute__((visibility("default"))) ck_ulong C_GetFunctionList(struct function_list **list);

static void load(void)
{
	void *library = dlopen(environment("FAULTP11_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
	ck_ulong (*get)(struct function_list **);

	if (!library)
		fail_test("loading the library behind", dlerror());
	*(void **)&get = dlsym(library, "C_GetFunctionList");
	if (!get || get(&real) != CKR_OK)
		fail_test("no PKCS#11 library", environment("FAULTP11_LIBRARY"));
#define WRAPPED(name, arguments) faulty.function[FN_##name] = pass_##name;
	FUNCTIONS(WRAPPED)
	faulty.version = real->version;
	faulty.function[FN_GetFunctionList] = C_GetFunctionList;
}

ck_ulong C_GetFunctionList(struct function_list **list)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	*list = &faulty;
	return CKR_OK;
}
