/* AES-GCM with an IV of the token's own, and lies about lengths. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "faultp11.h"

/* mode_of tells when the token tells its IV; false: it does not choose it. */
static int mode_of(const struct plan *plan, enum iv_mode *mode)
{
	const struct directive *d = find_directive(plan, IV);

	*mode = d ? d->mode : IV_OWN;
	if (d)
		count(d, STRUCK);
	return d || find_directive(plan, CLOUDHSM);
}

/* draw makes the token's IV for the operation that begins, and returns it. */
static const ck_byte *draw(struct call *c, struct ck_gcm_params *params, enum iv_mode mode)
{
	static _Thread_local ck_byte iv[16];
	struct session *s;

	if (params->iv_length > sizeof iv || getrandom(iv, params->iv_length, 0) != (ssize_t)params->iv_length)
		fail_test("drawing an IV", strerror(errno));
	lock();
	s = find_session(c->argument[0]);
	if (s && mode == IV_LATE) {
		memcpy(s->own_iv, iv, params->iv_length);
		s->iv = params->iv;
		s->iv_length = params->iv_length;
	}
	unlock();
	if (mode == IV_OWN)
		memcpy(params->iv, iv, params->iv_length);
	return iv;
}

ck_ulong encrypt_init(struct call *c)
{
	struct ck_mechanism *m = (struct ck_mechanism *)c->argument[1], own;
	struct ck_gcm_params params;
	enum iv_mode mode;
	ck_ulong rv;

	if (!m || m->mechanism != CKM_AES_GCM || !m->parameter || !mode_of(c->plan, &mode))
		return forward(c);
	params = *(struct ck_gcm_params *)m->parameter;
	params.iv = (ck_byte *)draw(c, m->parameter, mode);
	params.iv_bits = 8 * params.iv_length;
	own = (struct ck_mechanism){ CKM_AES_GCM, &params, sizeof params };
	c->argument[1] = (ck_ulong)&own;
	rv = forward(c);
	c->argument[1] = (ck_ulong)m;
	return rv;
}

/* tell_late writes the token's IV to where the caller wanted it. */
static void tell_late(const struct call *c)
{
	struct session *s;

	lock();
	s = find_session(c->argument[0]);
	if (s && s->iv) {
		memcpy(s->iv, s->own_iv, s->iv_length);
		s->iv = NULL;
	}
	unlock();
}

static ck_ulong exaggerate(struct call *c, ck_ulong rv)
{
	const struct directive *d = find_directive(c->plan, LENGTH);

	if (d) {
		count(d, STRUCK);
		*(ck_ulong *)c->argument[4] += 1 << 20;
	}
	return rv;
}

ck_ulong encrypt(struct call *c)
{
	ck_ulong rv = forward(c);

	if (rv == CKR_OK && c->argument[3])
		tell_late(c);
	return exaggerate(c, rv);
}

ck_ulong decrypt(struct call *c)
{
	return exaggerate(c, forward(c));
}
