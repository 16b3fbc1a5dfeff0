/* Disturbing the calls that a test has ordered to be disturbed. */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "faultp11.h"

/* drawn tells whether call n is one of the share: by SplitMix64 of seed and n. */
static int drawn(const struct directive *d, long n)
{
	uint64_t x = d->seed + ((uint64_t)n + 1) * 0x9e3779b97f4a7c15;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	x ^= x >> 31;
	return (double)(x >> 11) / (double)(1UL << 53) < d->share;
}

/* names tells whether a directive names a function. */
static int names(const struct directive *d, int function)
{
	switch (d->function) {
	case ALL_FUNCTIONS:
		return 1;
	case OPERATIONS:
		return function > FN_Logout && argument_at(function, 's') == 0;
	default:
		return d->function == function;
	}
}

/* concerns tells whether a directive is about a call, at this stage of it. */
static int concerns(const struct directive *d, const struct call *c, int late)
{
	return d->verb == CALL && d->late == late && names(d, c->function) &&
		(d->any_mechanism || c->mechanism == d->mechanism);
}

/* strikes counts a call, and tells whether it is one of those to be disturbed. */
static int strikes(const struct directive *d, const struct call *c)
{
	long n = count(d, SEEN);

	if (d->failures && c->rv == CKR_OK)
		return 0;
	if (n < d->after || !drawn(d, n))
		return 0;
	if (count(d, STRUCK) < d->times || d->times < 0)
		return 1;
	uncount(d, STRUCK);
	return 0;
}

static void die(struct call *c, int number)
{
	remark(c, "killed");
	log_call(c);
	if (number == SIGSEGV)
		*(volatile int *)0 = 0;
	kill(getpid(), number);
	pause();
}

static void wait_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) != 0)
		;
}

/* strike disturbs a call, and returns whether it is answered. */
static int strike(const struct directive *d, struct call *c)
{
	enum { POLL = 5 };

	remark(c, "struck");
	if (d->ms > 0)
		wait_ms(d->ms);
	while (d->hang && in_force(d->id))
		wait_ms(POLL);
	if (d->kill)
		die(c, d->kill);
	if (d->answers)
		c->rv = d->rv;
	return d->answers;
}

static int strike_all(struct call *c, int late)
{
	const struct directive *d;
	int answered = 0;

	for (d = c->plan->directives; d && !answered; d = d->next)
		if (concerns(d, c, late) && strikes(d, c))
			answered = strike(d, c);
	return answered;
}

int strike_before(struct call *c)
{
	return strike_all(c, 0);
}

void strike_after(struct call *c)
{
	strike_all(c, 1);
}
