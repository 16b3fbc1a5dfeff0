/*
 * The control file. It has a directive a line: a number of its own, a verb, and
 * options; # begins a comment. Whoever writes it replaces it by a rename, and
 * running processes act on it at their next call.
 *
 *   NUMBER call FUNCTION [OPTION]...   disturbs calls of a C_ function; of all: *;
 *                                      of all that need the HSM's work: operations
 *       rv=CODE       answer this instead of passing the call on
 *       ms=N          wait so long first
 *       hang          wait until the control file has no such NUMBER
 *       kill=SIGNAL   the process ends; 11 by touching memory that is not there
 *       late          all this after the call was passed on: it has its effect
 *       failures      late, and only of calls that fail
 *       mechanism=M   only of calls that are given this mechanism, or that go on
 *                     with an operation by it
 *       after=K       let K such calls pass
 *       times=N       only N calls (default: all)
 *       share=P       only this share of calls, 0 to 1, chosen by
 *       seed=S        this number and the count of calls
 *       Without rv, ms, hang and kill it only counts calls.
 *   NUMBER sessions-invalid            all sessions that are open now are invalid
 *   NUMBER idle ms=N                   as are those that were not used so long
 *   NUMBER logged-out                  the token forgets the login
 *   NUMBER absent                      no token is in any slot
 *   NUMBER cached-slots                a token that comes back is not seen before
 *                                      C_Finalize and C_Initialize
 *   NUMBER slots [reverse] [extra=N] [shift=N]
 *                                      the other way round; with N slots before them
 *                                      whose token is not recognised; numbers + N
 *   NUMBER pin-limit limit=N           so many wrong PINs lock it
 *   NUMBER pin-flags flags=MASK        more flags of C_GetTokenInfo
 *   NUMBER max-sessions limit=N [rv=CODE]
 *   NUMBER iv mode=own|late|lose       the token chooses the IV of AES-GCM, and
 *                                      writes it at C_EncryptInit, at C_Encrypt, never
 *   NUMBER reuse-handles               object handles are small numbers that are
 *                                      used again, and other ones in each process;
 *                                      from the next C_Initialize on
 *   NUMBER sync-lag ms=N               new objects of other processes are found late
 *   NUMBER alias                       a find of one object finds the first one found
 *   NUMBER length                      C_Encrypt and C_Decrypt claim to have
 *                                      written far more than they have
 *   NUMBER overlap                     counts C_Finalize during other calls
 *   NUMBER cloudhsm                    behave like the library of AWS CloudHSM
 *
 * Numbers may be decimal or, with 0x, hexadecimal. What happens once, such as
 * sessions-invalid, happens again for another NUMBER. A line that is not
 * understood ends the process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "faultp11.h"

static const char *const verbs[VERBS] = {
	[CALL] = "call",
	[SESSIONS_INVALID] = "sessions-invalid",
	[IDLE] = "idle",
	[LOGGED_OUT] = "logged-out",
	[ABSENT] = "absent",
	[CACHED_SLOTS] = "cached-slots",
	[SLOTS] = "slots",
	[PIN_LIMIT] = "pin-limit",
	[PIN_FLAGS] = "pin-flags",
	[MAX_SESSIONS] = "max-sessions",
	[IV] = "iv",
	[REUSE_HANDLES] = "reuse-handles",
	[SYNC_LAG] = "sync-lag",
	[ALIAS] = "alias",
	[LENGTH] = "length",
	[OVERLAP] = "overlap",
	[CLOUDHSM] = "cloudhsm",
};

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static struct plan *current;
static struct stat seen;

static int function_of(const char *name)
{
	int i;

	if (strcmp(name, "*") == 0)
		return ALL_FUNCTIONS;
	if (strcmp(name, "operations") == 0)
		return OPERATIONS;
	for (i = 0; i < FUNCTION_COUNT; i++)
		if (strcmp(name, function_name(i)) == 0)
			return i;
	fail_test("no such function", name);
}

static enum verb verb_of(const char *name)
{
	int i;

	for (i = 0; i < VERBS; i++)
		if (strcmp(name, verbs[i]) == 0)
			return (enum verb)i;
	fail_test("no such verb", name);
}

static enum iv_mode mode_of(const char *name)
{
	if (strcmp(name, "own") == 0)
		return IV_OWN;
	if (strcmp(name, "late") == 0)
		return IV_LATE;
	if (strcmp(name, "lose") == 0)
		return IV_LOSE;
	fail_test("no such mode", name);
}

static unsigned long number_of(const char *value)
{
	char *end;
	unsigned long number = strtoul(value, &end, 0);

	if (end == value || *end)
		fail_test("no number", value);
	return number;
}

static double share_of(const char *value)
{
	char *end;
	double share = strtod(value, &end);

	if (end == value || *end || share < 0 || share > 1)
		fail_test("no share", value);
	return share;
}

/* set_flag sets an option without a value; false: it is none. */
static int set_flag(struct directive *d, const char *word)
{
	if (strcmp(word, "hang") == 0)
		d->hang = 1;
	else if (strcmp(word, "late") == 0)
		d->late = 1;
	else if (strcmp(word, "failures") == 0)
		d->late = d->failures = 1;
	else if (strcmp(word, "reverse") == 0)
		d->reverse = 1;
	else
		return 0;
	return 1;
}

/* set_number sets an option whose value is an integer; false: it is none. */
static int set_number(struct directive *d, const char *key, const char *value)
{
	unsigned long number = number_of(value);
	struct {
		const char *key;
		long *where;
	} longs[] = { { "ms", &d->ms }, { "after", &d->after }, { "times", &d->times }, { "extra", &d->extra },
		{ "shift", &d->shift }, { "limit", &d->limit } };
	size_t i;

	for (i = 0; i < sizeof longs / sizeof *longs; i++) {
		if (strcmp(key, longs[i].key) == 0) {
			*longs[i].where = (long)number;
			return 1;
		}
	}
	if (strcmp(key, "rv") == 0) {
		d->rv = number;
		d->answers = 1;
	} else if (strcmp(key, "mechanism") == 0) {
		d->mechanism = number;
		d->any_mechanism = 0;
	} else if (strcmp(key, "kill") == 0)
		d->kill = (int)number;
	else if (strcmp(key, "seed") == 0)
		d->seed = number;
	else if (strcmp(key, "flags") == 0)
		d->flags = number;
	else
		return 0;
	return 1;
}

static void set_option(struct directive *d, char *word)
{
	char *value = strchr(word, '=');

	if (!value) {
		if (!set_flag(d, word))
			fail_test("no such option", word);
		return;
	}
	*value++ = 0;
	if (strcmp(word, "share") == 0)
		d->share = share_of(value);
	else if (strcmp(word, "mode") == 0)
		d->mode = mode_of(value);
	else if (!set_number(d, word, value))
		fail_test("no such option", word);
}

/* parse reads a line; NULL: there is nothing on it. */
static struct directive *parse(char *line)
{
	struct directive *d;
	char *rest, *word = strtok_r(line, " \n", &rest), *verb;

	if (!word || *word == '#')
		return NULL;
	verb = strtok_r(NULL, " \n", &rest);
	d = calloc(1, sizeof *d);
	if (!d || !verb)
		fail_test("no directive", word);
	d->id = (long)number_of(word);
	d->verb = verb_of(verb);
	d->function = ALL_FUNCTIONS;
	d->any_mechanism = 1;
	d->times = -1;
	d->share = 1;
	if (d->verb == CALL) {
		word = strtok_r(NULL, " \n", &rest);
		d->function = function_of(word ? word : "none");
	}
	while ((word = strtok_r(NULL, " \n", &rest)))
		set_option(d, word);
	return d;
}

static struct plan *read_plan(const char *path)
{
	struct plan *plan = calloc(1, sizeof *plan);
	struct directive **last;
	char line[512];
	FILE *f = fopen(path, "re");

	if (!plan)
		fail_test("reading the control file", "no memory");
	if (!f && errno != ENOENT)
		fail_test("reading the control file", strerror(errno));
	last = &plan->directives;
	while (f && fgets(line, sizeof line, f)) {
		*last = parse(line);
		if (*last)
			last = &(*last)->next;
	}
	if (f)
		fclose(f);
	plan->references = 1; /* current's */
	return plan;
}

static void drop(struct plan *plan)
{
	struct directive *d, *next;

	if (--plan->references > 0)
		return;
	for (d = plan->directives; d; d = next) {
		next = d->next;
		free(d);
	}
	free(plan);
}

static int same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
		a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

const struct plan *plan_now(void)
{
	const char *path = environment("FAULTP11_CONTROL");
	struct stat is = { 0 };
	struct plan *plan;

	pthread_mutex_lock(&guard);
	if (stat(path, &is) != 0)
		memset(&is, 0, sizeof is);
	if (!current || !same(&is, &seen)) {
		if (current)
			drop(current);
		current = read_plan(path);
		seen = is;
	}
	plan = current;
	plan->references++;
	pthread_mutex_unlock(&guard);
	return plan;
}

void plan_end(const struct plan *plan)
{
	pthread_mutex_lock(&guard);
	drop((struct plan *)plan);
	pthread_mutex_unlock(&guard);
}

const struct directive *find_directive(const struct plan *plan, enum verb verb)
{
	const struct directive *d = plan->directives;

	while (d && d->verb != verb)
		d = d->next;
	return d;
}

int in_force(long id)
{
	const struct plan *plan = plan_now();
	const struct directive *d = plan->directives;
	int found;

	while (d && d->id != id)
		d = d->next;
	found = d != NULL;
	plan_end(plan);
	return found;
}
