/* What the files of this library share. faultp11.c says what the library is. */
#ifndef FAULTP11_H
#define FAULTP11_H

#include <pthread.h>
#include <stdint.h>

#include "cryptoki.h"
#include "functions.h"

#define NANOSECONDS 1000000000L

/* ---- faultp11.c: calls ---- */

enum { ARGUMENTS = 8, REMARK_SIZE = 64 };

#define NO_MECHANISM ((ck_ulong)-1)

struct plan;
struct directive;

/* A call of a function. */
struct call {
	int function;
	ck_ulong argument[ARGUMENTS]; /* as the caller gave them */
	ck_ulong rv;
	int forwarded; /* it came to the library behind */
	ck_ulong mechanism; /* given, or of the operation that it goes on with */
	const struct plan *plan;
	char remark[REMARK_SIZE]; /* for the log; words with commas between */
};

struct function_list {
	struct ck_version version;
	void *function[FUNCTION_COUNT]; /* POSIX: a function pointer fits */
};

/* forward passes a call on, with its own handles and slots for the caller's. */
ck_ulong forward(struct call *c);

/* real_call calls a function of the library behind, with its handles and slots. */
ck_ulong real_call(int function, const ck_ulong argument[ARGUMENTS]);
#define REAL(function, ...) real_call(function, (ck_ulong[ARGUMENTS]){ __VA_ARGS__ })

/* function_name and function_arguments tell of a function. */
const char *function_name(int function);
const char *function_arguments(int function);

/* argument_at returns where an argument of a kind is, or -1. */
int argument_at(int function, char kind);

/* mechanism_of returns the mechanism that a call is given, or NULL. */
struct ck_mechanism *mechanism_of(const struct call *c);

/* remark adds a word to a call's remark. */
void remark(struct call *c, const char *word);

/* fail_test ends the process: what it was told to do cannot be done, and a test
 * would prove nothing. */
_Noreturn void fail_test(const char *what, const char *detail);

/* lock and unlock guard what the process remembers. They are never held while
 * the library behind is called. */
void lock(void);
void unlock(void);

long now(void); /* nanoseconds of the monotonic clock */
const char *environment(const char *name); /* fails the test if it is not set */

/* ---- control.c: the control file ---- */

enum verb {
	CALL,
	SESSIONS_INVALID,
	IDLE,
	LOGGED_OUT,
	ABSENT,
	CACHED_SLOTS,
	SLOTS,
	PIN_LIMIT,
	PIN_FLAGS,
	MAX_SESSIONS,
	IV,
	REUSE_HANDLES,
	SYNC_LAG,
	ALIAS,
	LENGTH,
	OVERLAP,
	CLOUDHSM,
	VERBS,
};

enum iv_mode { IV_OWN, IV_LATE, IV_LOSE };

enum { ALL_FUNCTIONS = -1, OPERATIONS = -2 };

struct directive {
	long id;
	enum verb verb;
	int function; /* or ALL_FUNCTIONS, OPERATIONS */
	int answers;  /* rv was given */
	ck_ulong rv;
	long ms;
	int hang;
	int kill; /* a signal, or 0 */
	int late; /* after forwarding */
	int failures; /* calls that fail only */
	int any_mechanism;
	ck_ulong mechanism;
	long after, times; /* times < 0: no limit */
	double share;
	uint64_t seed;
	/* of slots */
	int reverse;
	long extra, shift;
	long limit;
	ck_ulong flags;
	enum iv_mode mode;
	struct directive *next;
};

struct plan {
	struct directive *directives;
	long references;
};

/* plan_now returns what the control file says, until plan_end. */
const struct plan *plan_now(void);
void plan_end(const struct plan *plan);

/* find_directive returns the plan's first directive of a verb, or NULL. */
const struct directive *find_directive(const struct plan *plan, enum verb verb);

/* in_force tells whether the control file still has the directive of this id. */
int in_force(long id);

/* ---- counters.c: counters that processes share ---- */

enum counter { SEEN, STRUCK };

/* count adds one to a counter of a directive, and returns what it was. */
long count(const struct directive *d, enum counter which);
void uncount(const struct directive *d, enum counter which);

/* ordinal returns which process, or start of the library, this is: 1, 2, ... */
long ordinal(void);

/* ---- strike.c: disturbing calls ---- */

/* strike_before does what the plan wants done before the call is passed on. It
 * returns whether the call is answered already. */
int strike_before(struct call *c);
void strike_after(struct call *c);

/* ---- sessions.c ---- */

enum operation { ENCRYPT, DECRYPT, SIGN, VERIFY, DIGEST, FIND, OPERATIONS_COUNT };

struct session {
	ck_ulong handle, slot;
	long used;    /* when it was last, by now() */
	int dead;
	int running;  /* calls */
	ck_byte *iv;  /* where the token's IV goes at C_Encrypt */
	ck_byte own_iv[16];
	ck_ulong iv_length;
	struct {
		int active, parts;
		ck_ulong mechanism;
	} operations[OPERATIONS_COUNT];
	struct session *next;
};

/* sessions_notice acts on what the control file says of sessions and the token. */
void sessions_notice(const struct plan *plan);

/* sessions_refuse returns why a call cannot be made in its session; 0: it can. */
ck_ulong sessions_refuse(struct call *c);

/* session_begin and session_end surround a call in a session. */
void session_begin(struct call *c);
void session_end(struct call *c);

/* find_session returns an open session, or NULL. lock must be held. */
struct session *find_session(ck_ulong handle);

void sessions_forget(void); /* the library is finalised */
int token_absent(const struct plan *plan);

ck_ulong open_session(struct call *c);
ck_ulong close_session(struct call *c);
ck_ulong close_all_sessions(struct call *c);
ck_ulong session_info(struct call *c);
ck_ulong logout(struct call *c);

/* logged_out tells whether the token has forgotten the login; logged_in that it
 * has been told again. */
int logged_out(void);
void logged_in(void);

/* ---- operations.c ---- */

/* operation_begin finds out what operation a call goes on with, and remarks on one
 * that is out of order. */
void operation_begin(struct call *c);

/* operation_end notes what has become of the operation, after the library behind
 * has answered. */
void operation_end(const struct call *c, ck_ulong rv);

/* asks_length tells whether a call asks only how long its result would be. */
int asks_length(const struct call *c);

/* ---- pin.c ---- */

ck_ulong login(struct call *c);

/* pin_flags returns the flags of a token's PIN, by the number of its slot in the
 * library behind. */
ck_ulong pin_flags(const struct plan *plan, ck_ulong slot);

/* ---- slots.c ---- */

/* slots_refuse returns why a call cannot be made of its slot; 0: it can. */
ck_ulong slots_refuse(const struct call *c);

/* real_slot returns a slot's number in the library behind. */
ck_ulong real_slot(const struct plan *plan, ck_ulong slot);
ck_ulong slot_list(struct call *c);
ck_ulong slot_info(struct call *c);
ck_ulong token_info(struct call *c);

/* ---- handles.c: object handles ---- */

void handles_begin(const struct plan *plan); /* the library is initialised */

/* real_handle returns an object's handle in the library behind. */
ck_ulong real_handle(ck_ulong handle);

/* given_handle returns what the caller is told instead of such a handle. */
ck_ulong given_handle(ck_ulong real);

/* made_here notes that an object was made by this process. */
void made_here(const struct plan *plan, ck_ulong real);

/* forget_object notes that an object is gone. */
void forget_object(ck_ulong real);
ck_ulong destroy_object(struct call *c);
ck_ulong find_objects_init(struct call *c);
ck_ulong find_objects(struct call *c);

/* ---- gcm.c: who chooses IVs, and how long results are ---- */

ck_ulong encrypt_init(struct call *c);
ck_ulong encrypt(struct call *c);
ck_ulong decrypt(struct call *c);

/* ---- log.c ---- */

void log_call(const struct call *c);

#endif
