/*
 * The directive cloudhsm: what AWS documents of its library's sessions, login and
 * functions. A token is called hsm1, sessions are read-write and without a
 * callback, the PIN is "<user>:<password>", of which SoftHSM is given the
 * password, and the IV of AES-GCM is the token's.
 *
 * A remark in the log: iv-not-zero, an IV was given to C_EncryptInit, which CloudHSM
 * ignores.
 *
 * Not imitated: key availability, the mechanisms CKM_CLOUDHSM_AES_GCM, _PKCS5_PAD
 * and _SP800_108, keys on Edwards curves, and what SoftHSM cannot do, such as
 * OAEP with another hash than SHA-1 and the derivation functions of ECDH.
 */
#include <string.h>

#include "cloudhsm.h"

static int supported(int function)
{
	switch (function) {
	case FN_InitToken:
	case FN_InitPIN:
	case FN_SetPIN:
	case FN_GetOperationState:
	case FN_SetOperationState:
	case FN_CopyObject:
	case FN_GetObjectSize:
	case FN_SetAttributeValue:
	case FN_DigestKey:
	case FN_SignRecoverInit:
	case FN_SignRecover:
	case FN_VerifyRecoverInit:
	case FN_VerifyRecover:
	case FN_DigestEncryptUpdate:
	case FN_DecryptDigestUpdate:
	case FN_SignEncryptUpdate:
	case FN_DecryptVerifyUpdate:
	case FN_SeedRandom:
	case FN_GetFunctionStatus:
	case FN_CancelFunction:
	case FN_WaitForSlotEvent:
		return 0;
	default:
		return 1;
	}
}

static ck_ulong session_refuse(const struct call *c)
{
	if (c->function != FN_OpenSession)
		return CKR_OK;
	if (!(c->argument[1] & CKF_RW_SESSION))
		return CKR_FUNCTION_FAILED;
	return c->argument[3] ? CKR_ARGUMENTS_BAD : CKR_OK;
}

/* user_login takes the password out of the PIN. */
static ck_ulong user_login(struct call *c)
{
	const char *pin = (const char *)c->argument[2], *colon;

	if (c->argument[1] != CKU_USER)
		return CKR_USER_TYPE_INVALID;
	colon = pin ? memchr(pin, ':', c->argument[3]) : NULL;
	if (!colon)
		return CKR_PIN_INCORRECT;
	c->argument[3] -= (ck_ulong)(colon + 1 - pin);
	c->argument[2] = (ck_ulong)(colon + 1);
	return login(c);
}

static ck_ulong call_it_hsm1(struct call *c)
{
	struct ck_token_info *info = (struct ck_token_info *)c->argument[1];
	ck_ulong rv = token_info(c);

	if (rv == CKR_OK && (info->flags & CKF_TOKEN_INITIALIZED)) {
		memset(info->label, ' ', sizeof info->label);
		memcpy(info->label, "hsm1", 4);
	}
	return rv;
}

/* special is what is done in another way than otherwise. */
static ck_ulong special(struct call *c, ck_ulong (*otherwise)(struct call *))
{
	struct ck_mechanism *m = mechanism_of(c);

	switch (c->function) {
	case FN_Login:
		return user_login(c);
	case FN_GetTokenInfo:
		return call_it_hsm1(c);
	case FN_GetMechanismList:
		return mechanism_list(c);
	case FN_GetMechanismInfo:
		return mechanism_info(c);
	case FN_GetAttributeValue:
		return attribute_values(c);
	case FN_UnwrapKey:
		return m->mechanism == CKM_RSA_AES_KEY_WRAP ? unwrap_twice(c) : otherwise(c);
	default:
		return otherwise(c);
	}
}

/* translated makes the call with the names and the defaults that the library
 * behind needs. */
static ck_ulong translated(struct call *c, ck_ulong (*otherwise)(struct call *))
{
	struct template room[2];
	struct ck_mechanism *m = mechanism_of(c), behind;
	ck_ulong given[ARGUMENTS], rv;

	memcpy(given, c->argument, sizeof given);
	if (m && mechanism_behind(m->mechanism) != m->mechanism && m->mechanism != CKM_RSA_AES_KEY_WRAP) {
		behind = *m;
		behind.mechanism = mechanism_behind(m->mechanism);
		c->argument[argument_at(c->function, 'm')] = (ck_ulong)&behind;
	}
	templates_complete(c, room);
	rv = special(c, otherwise);
	memcpy(c->argument, given, sizeof given);
	return rv;
}

/* parts_refuse refuses to do in parts what is done at once. */
static ck_ulong parts_refuse(const struct call *c)
{
	switch (c->function) {
	case FN_EncryptUpdate:
	case FN_DecryptUpdate:
	case FN_SignUpdate:
	case FN_VerifyUpdate:
		return single_part(c->mechanism) ? CKR_MECHANISM_INVALID : CKR_OK;
	default:
		return CKR_OK;
	}
}

ck_ulong cloudhsm_call(struct call *c, ck_ulong (*otherwise)(struct call *))
{
	ck_ulong rv;

	if (!supported(c->function))
		return CKR_FUNCTION_NOT_SUPPORTED;
	rv = session_refuse(c);
	if (rv == CKR_OK)
		rv = mechanism_refuse(c);
	if (rv == CKR_OK)
		rv = parts_refuse(c);
	if (rv == CKR_OK)
		rv = data_refuse(c);
	if (rv == CKR_OK)
		rv = templates_refuse(c);
	return rv == CKR_OK ? translated(c, otherwise) : rv;
}
