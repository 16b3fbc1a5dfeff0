/*
 * The order of calls in a session: Init, then one call or several and Final. What is
 * out of order is remarked on in the log; a second Init is refused.
 */
#include "cloudhsm.h"

enum operation { ENCRYPT, DECRYPT, SIGN, VERIFY, DIGEST, FIND, NONE };
enum stage { INIT, WHOLE, UPDATE, FINAL };
enum { PARTS = 8 }; /* the bit of an operation that is done in parts, above its own */

/* part tells of what operation a function is a part. */
static enum operation part(int function, enum stage *stage)
{
	static const struct {
		int first;
		enum operation operation;
		enum stage stages[5];
	} groups[] = {
		{ FN_FindObjectsInit, FIND, { INIT, UPDATE, FINAL } },
		{ FN_EncryptInit, ENCRYPT, { INIT, WHOLE, UPDATE, FINAL } },
		{ FN_DecryptInit, DECRYPT, { INIT, WHOLE, UPDATE, FINAL } },
		{ FN_DigestInit, DIGEST, { INIT, WHOLE, UPDATE, UPDATE, FINAL } },
		{ FN_SignInit, SIGN, { INIT, WHOLE, UPDATE, FINAL } },
		{ FN_VerifyInit, VERIFY, { INIT, WHOLE, UPDATE, FINAL } },
	};
	static const int sizes[] = { 3, 4, 4, 5, 4, 4 };
	unsigned i;

	for (i = 0; i < sizeof groups / sizeof *groups; i++) {
		int at = function - groups[i].first;

		if (at >= 0 && at < sizes[i]) {
			*stage = groups[i].stages[at];
			return groups[i].operation;
		}
	}
	return NONE;
}

ck_ulong operation_mechanism(const struct call *c)
{
	enum stage stage;
	enum operation o = part(c->function, &stage);
	struct session *s;
	ck_ulong m = (ck_ulong)-1;

	if (o == NONE || o == FIND || stage == INIT)
		return m;
	lock();
	s = find_session(c->argument[0]);
	if (s && (s->active & 1 << o))
		m = s->mechanism[o];
	unlock();
	return m;
}

static ck_ulong check(struct call *c, const struct session *s, enum operation o, enum stage stage)
{
	int active = s->active & 1 << o, parts = s->active & 1 << (o + PARTS);

	if (stage == INIT && active) {
		remark(c, "order");
		return CKR_OPERATION_ACTIVE;
	}
	if ((stage != INIT && !active) || (stage == WHOLE && parts))
		remark(c, "order");
	if (stage == UPDATE && active && o != FIND && single_part(s->mechanism[o]))
		return CKR_MECHANISM_INVALID;
	return CKR_OK;
}

ck_ulong order_before(struct call *c)
{
	enum stage stage;
	enum operation o = part(c->function, &stage);
	struct session *s;
	ck_ulong rv = CKR_OK;

	if (o == NONE)
		return CKR_OK;
	lock();
	s = find_session(c->argument[0]);
	if (s)
		rv = check(c, s, o, stage);
	unlock();
	return rv;
}

/* goes_on tells whether an operation is not at its end after a call. */
static int goes_on(const struct call *c, enum stage stage, ck_ulong rv)
{
	int asks = c->function != FN_Verify && stage == WHOLE && c->argument[3] == 0;

	return rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && (stage == UPDATE || asks));
}

void order_after(struct call *c, ck_ulong rv)
{
	enum stage stage;
	enum operation o = part(c->function, &stage);
	struct session *s;

	if (o == NONE)
		return;
	lock();
	s = find_session(c->argument[0]);
	if (s && stage == INIT && rv == CKR_OK) {
		s->active |= 1 << o;
		if (o != FIND)
			s->mechanism[o] = mechanism_of(c)->mechanism;
	} else if (s && stage == UPDATE && rv == CKR_OK) {
		s->active |= 1 << (o + PARTS);
	} else if (s && stage != INIT && !goes_on(c, stage, rv) && !(o == FIND && stage == UPDATE)) {
		s->active &= ~(1 << o | 1 << (o + PARTS));
	}
	unlock();
}
