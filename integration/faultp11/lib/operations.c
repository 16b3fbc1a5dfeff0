/*
 * The operations under way in a session: Init, then one call or several and Final.
 * What is out of this order is remarked on in the log.
 */
#include "faultp11.h"

enum stage { INIT, WHOLE, UPDATE, FINAL };

/* part tells of what operation a function is a part. */
static enum operation part(int function, enum stage *stage)
{
	static const struct {
		int first, last;
		enum operation operation;
		enum stage stages[5];
	} groups[] = {
		{ FN_FindObjectsInit, FN_FindObjectsFinal, FIND, { INIT, UPDATE, FINAL } },
		{ FN_EncryptInit, FN_EncryptFinal, ENCRYPT, { INIT, WHOLE, UPDATE, FINAL } },
		{ FN_DecryptInit, FN_DecryptFinal, DECRYPT, { INIT, WHOLE, UPDATE, FINAL } },
		{ FN_DigestInit, FN_DigestFinal, DIGEST, { INIT, WHOLE, UPDATE, UPDATE, FINAL } },
		{ FN_SignInit, FN_SignFinal, SIGN, { INIT, WHOLE, UPDATE, FINAL } },
		{ FN_VerifyInit, FN_VerifyFinal, VERIFY, { INIT, WHOLE, UPDATE, FINAL } },
	};
	unsigned i;

	for (i = 0; i < sizeof groups / sizeof *groups; i++) {
		if (function >= groups[i].first && function <= groups[i].last) {
			*stage = groups[i].stages[function - groups[i].first];
			return groups[i].operation;
		}
	}
	return OPERATIONS_COUNT;
}

void operation_begin(struct call *c)
{
	const struct ck_mechanism *given = mechanism_of(c);
	enum stage stage;
	enum operation o = part(c->function, &stage);
	struct session *s;

	c->mechanism = given ? given->mechanism : NO_MECHANISM;
	if (o == OPERATIONS_COUNT)
		return;
	lock();
	s = find_session(c->argument[0]);
	if (s && (stage == INIT) == s->operations[o].active)
		remark(c, "order");
	if (s && stage == WHOLE && s->operations[o].parts)
		remark(c, "order");
	if (s && stage != INIT && s->operations[o].active)
		c->mechanism = s->operations[o].mechanism;
	unlock();
}

int asks_length(const struct call *c)
{
	switch (c->function) {
	case FN_WrapKey:
		return c->argument[4] == 0;
	case FN_Encrypt:
	case FN_Decrypt:
	case FN_Sign:
	case FN_Digest:
		return c->argument[3] == 0;
	case FN_EncryptFinal:
	case FN_DecryptFinal:
	case FN_SignFinal:
	case FN_DigestFinal:
		return c->argument[1] == 0;
	default:
		return 0;
	}
}

/* goes_on tells whether an operation is not at its end after a call. */
static int goes_on(const struct call *c, enum operation o, enum stage stage, ck_ulong rv)
{
	if (rv == CKR_OK)
		return stage == UPDATE || asks_length(c);
	return rv == CKR_BUFFER_TOO_SMALL || (o == FIND && stage == UPDATE);
}

void operation_end(const struct call *c, ck_ulong rv)
{
	enum stage stage;
	enum operation o = part(c->function, &stage);
	struct session *s;

	if (o == OPERATIONS_COUNT || (stage == INIT && rv != CKR_OK))
		return;
	lock();
	s = find_session(c->argument[0]);
	if (s && stage == INIT) {
		s->operations[o].active = 1;
		s->operations[o].parts = 0;
		s->operations[o].mechanism = c->mechanism;
	} else if (s) {
		s->operations[o].active &= goes_on(c, o, stage, rv);
		s->operations[o].parts = stage == UPDATE;
	}
	unlock();
}
