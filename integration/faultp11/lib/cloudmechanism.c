/* The mechanisms of CloudHSM in FIPS mode, what each is for, and for how much. */
#include <string.h>

#include "cloudhsm.h"

enum use {
	FOR_GENERATE = 1,
	FOR_PAIR = 2,
	FOR_SIGN = 4,
	FOR_DIGEST = 8,
	FOR_CRYPT = 16,
	FOR_DERIVE = 32,
	FOR_WRAP = 64,
	SINGLE_PART = 128, /* not in parts */
};

struct known {
	ck_ulong mechanism;
	ck_ulong behind;
	int uses;
	ck_ulong most; /* bytes; 0: no limit */
};

#define SAME(mechanism, uses, most) { mechanism, mechanism, uses, most }

static const struct known known[] = {
	SAME(0x000, FOR_PAIR, 0),                                            /* CKM_RSA_PKCS_KEY_PAIR_GEN */
	SAME(0x00a, FOR_PAIR, 0),                                            /* CKM_RSA_X9_31_KEY_PAIR_GEN */
	SAME(0x1040, FOR_PAIR, 0),                                           /* CKM_EC_KEY_PAIR_GEN */
	SAME(0x1080, FOR_GENERATE, 0),                                       /* CKM_AES_KEY_GEN */
	SAME(0x350, FOR_GENERATE, 0),                                        /* CKM_GENERIC_SECRET_KEY_GEN */
	SAME(0x003, FOR_SIGN | FOR_CRYPT, 0),                                /* CKM_RSA_X_509 */
	SAME(0x001, FOR_SIGN, 0),                                            /* CKM_RSA_PKCS */
	SAME(0x00d, FOR_SIGN | SINGLE_PART, 0),                              /* CKM_RSA_PKCS_PSS */
	SAME(0x006, FOR_SIGN, 0),                                            /* CKM_SHA1_RSA_PKCS */
	SAME(0x046, FOR_SIGN, 0),                                            /* CKM_SHA224_RSA_PKCS */
	SAME(0x040, FOR_SIGN, 0),                                            /* CKM_SHA256_RSA_PKCS */
	SAME(0x041, FOR_SIGN, 0),                                            /* CKM_SHA384_RSA_PKCS */
	SAME(0x042, FOR_SIGN, 0),                                            /* CKM_SHA512_RSA_PKCS */
	SAME(0x00e, FOR_SIGN, 0),                                            /* CKM_SHA1_RSA_PKCS_PSS */
	SAME(0x047, FOR_SIGN, 0),                                            /* CKM_SHA224_RSA_PKCS_PSS */
	SAME(0x043, FOR_SIGN, 0),                                            /* CKM_SHA256_RSA_PKCS_PSS */
	SAME(0x044, FOR_SIGN, 0),                                            /* CKM_SHA384_RSA_PKCS_PSS */
	SAME(0x045, FOR_SIGN, 0),                                            /* CKM_SHA512_RSA_PKCS_PSS */
	SAME(0x1041, FOR_SIGN | SINGLE_PART, 0),                             /* CKM_ECDSA */
	SAME(0x1042, FOR_SIGN, 0),                                           /* CKM_ECDSA_SHA1 */
	SAME(0x1043, FOR_SIGN, 0),                                           /* CKM_ECDSA_SHA224 */
	SAME(0x1044, FOR_SIGN, 0),                                           /* CKM_ECDSA_SHA256 */
	SAME(0x1045, FOR_SIGN, 0),                                           /* CKM_ECDSA_SHA384 */
	SAME(0x1046, FOR_SIGN, 0),                                           /* CKM_ECDSA_SHA512 */
	SAME(0x221, FOR_SIGN, 16288),                                        /* CKM_SHA_1_HMAC */
	SAME(0x256, FOR_SIGN, 16256),                                        /* CKM_SHA224_HMAC */
	SAME(0x251, FOR_SIGN, 16288),                                        /* CKM_SHA256_HMAC */
	SAME(0x261, FOR_SIGN, 16224),                                        /* CKM_SHA384_HMAC */
	SAME(0x271, FOR_SIGN, 16224),                                        /* CKM_SHA512_HMAC */
	SAME(0x108a, FOR_SIGN, 0),                                           /* CKM_AES_CMAC */
	SAME(0x220, FOR_DIGEST, 0),                                          /* CKM_SHA_1 */
	SAME(0x255, FOR_DIGEST, 0),                                          /* CKM_SHA224 */
	SAME(0x250, FOR_DIGEST, 0),                                          /* CKM_SHA256 */
	SAME(0x260, FOR_DIGEST, 0),                                          /* CKM_SHA384 */
	SAME(0x270, FOR_DIGEST, 0),                                          /* CKM_SHA512 */
	SAME(0x1081, FOR_CRYPT, 0),                                          /* CKM_AES_ECB */
	SAME(0x1086, FOR_CRYPT, 0),                                          /* CKM_AES_CTR */
	SAME(0x1082, FOR_CRYPT, 16272),                                      /* CKM_AES_CBC */
	SAME(0x1085, FOR_CRYPT, 16272),                                      /* CKM_AES_CBC_PAD */
	SAME(CKM_AES_GCM, FOR_CRYPT | FOR_WRAP | SINGLE_PART, 16224),        /* CKM_AES_GCM */
	SAME(CKM_RSA_PKCS_OAEP, FOR_CRYPT | FOR_WRAP | SINGLE_PART, 0),      /* CKM_RSA_PKCS_OAEP */
	SAME(CKM_ECDH1_DERIVE, FOR_DERIVE, 0),                               /* CKM_ECDH1_DERIVE */
	{ CKM_RSA_AES_KEY_WRAP, CKM_RSA_PKCS_OAEP, FOR_WRAP, 0 },            /* see unwrap_twice */
	{ CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD, 0x2109, FOR_WRAP, 0 },           /* CKM_AES_KEY_WRAP */
	{ CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD, 0x210a, FOR_WRAP, 0 },         /* RFC 5649 */
};

enum { KNOWN = sizeof known / sizeof *known };

static const struct known *find(ck_ulong mechanism)
{
	int i;

	for (i = 0; i < KNOWN; i++)
		if (known[i].mechanism == mechanism)
			return &known[i];
	return NULL;
}

ck_ulong mechanism_behind(ck_ulong mechanism)
{
	const struct known *k = find(mechanism);

	return k ? k->behind : (ck_ulong)-1;
}

int single_part(ck_ulong mechanism)
{
	const struct known *k = find(mechanism);

	return k && (k->uses & SINGLE_PART);
}

/* use_of returns what a function uses a mechanism for. */
static int use_of(int function)
{
	switch (function) {
	case FN_GenerateKey:
		return FOR_GENERATE;
	case FN_GenerateKeyPair:
		return FOR_PAIR;
	case FN_SignInit:
	case FN_VerifyInit:
		return FOR_SIGN;
	case FN_DigestInit:
		return FOR_DIGEST;
	case FN_EncryptInit:
	case FN_DecryptInit:
		return FOR_CRYPT;
	case FN_DeriveKey:
		return FOR_DERIVE;
	case FN_WrapKey:
	case FN_UnwrapKey:
		return FOR_WRAP;
	default:
		return 0;
	}
}

static ck_ulong refuse_oaep(const struct ck_mechanism *m)
{
	const struct ck_oaep_params *p = m->parameter;

	return !p || m->parameter_length != sizeof *p || p->label || p->label_length ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
}

static ck_ulong refuse_gcm(struct call *c, const struct ck_mechanism *m)
{
	static const ck_byte zeros[12];
	const struct ck_gcm_params *p = m->parameter;

	if (!p || m->parameter_length != sizeof *p || !p->iv || p->iv_length != sizeof zeros)
		return CKR_MECHANISM_PARAM_INVALID;
	if (c->function == FN_EncryptInit && memcmp(p->iv, zeros, sizeof zeros) != 0)
		remark(c, "iv-not-zero");
	return CKR_OK;
}

ck_ulong mechanism_refuse(struct call *c)
{
	const struct ck_mechanism *m = mechanism_of(c);
	const struct known *k;

	if (argument_at(c->function, 'm') < 0)
		return CKR_OK;
	if (!m)
		return CKR_ARGUMENTS_BAD;
	k = find(m->mechanism);
	if (!k || !(k->uses & use_of(c->function)))
		return CKR_MECHANISM_INVALID;
	switch (m->mechanism) {
	case CKM_RSA_PKCS_OAEP:
		return refuse_oaep(m);
	case CKM_AES_GCM:
		return refuse_gcm(c, m);
	case CKM_ECDH1_DERIVE:
		/* CloudHSM has no CKD_NULL. */
		return m->parameter && ((struct ck_ecdh_params *)m->parameter)->kdf == CKD_NULL ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
	default:
		return CKR_OK;
	}
}

ck_ulong data_refuse(const struct call *c)
{
	const struct known *k = find(c->mechanism);

	if (!k || !k->most)
		return CKR_OK;
	switch (c->function) {
	case FN_Encrypt:
	case FN_Sign:
	case FN_Verify:
		return c->argument[2] > k->most ? CKR_DATA_LEN_RANGE : CKR_OK;
	case FN_Decrypt:
		return c->argument[2] > k->most + 16 ? CKR_ENCRYPTED_DATA_LEN_RANGE : CKR_OK;
	default:
		return CKR_OK;
	}
}

/* info_behind asks the library behind about a mechanism. */
static ck_ulong info_behind(const struct call *c, ck_ulong mechanism, ck_ulong info[3])
{
	return REAL(FN_GetMechanismInfo, real_slot(c->plan, c->argument[0]), mechanism, (ck_ulong)info);
}

ck_ulong mechanism_list(struct call *c)
{
	ck_ulong listed[KNOWN], info[3], n = 0, *room = (ck_ulong *)c->argument[2], rv = CKR_OK;
	int i;

	for (i = 0; i < KNOWN; i++)
		if (info_behind(c, known[i].behind, info) == CKR_OK)
			listed[n++] = known[i].mechanism;
	if (c->argument[1] && *room < n)
		rv = CKR_BUFFER_TOO_SMALL;
	else if (c->argument[1])
		memcpy((void *)c->argument[1], listed, n * sizeof *listed);
	*room = n;
	return rv;
}

ck_ulong mechanism_info(struct call *c)
{
	const struct known *k = find(c->argument[1]);

	return k ? info_behind(c, k->behind, (ck_ulong *)c->argument[2]) : CKR_MECHANISM_INVALID;
}

/* unwrap_aes unwraps the AES key at the beginning, and says how long it is. */
static ck_ulong unwrap_aes(const struct call *c, struct ck_mechanism *by, ck_ulong *length, ck_ulong *aes)
{
	static ck_ulong class = CKO_SECRET_KEY, type = CKK_AES;
	static ck_byte yes = 1, no = 0;
	struct ck_attribute template[] = { { CKA_CLASS, &class, sizeof class }, { CKA_KEY_TYPE, &type, sizeof type },
		{ CKA_TOKEN, &no, 1 }, { CKA_UNWRAP, &yes, 1 } };
	struct ck_attribute modulus = { CKA_MODULUS, NULL, 0 };
	ck_ulong key = real_handle(c->argument[2]), rv;

	rv = REAL(FN_GetAttributeValue, c->argument[0], key, (ck_ulong)&modulus, 1);
	if (rv != CKR_OK)
		return CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT;
	*length = modulus.length;
	if (c->argument[4] <= *length)
		return CKR_WRAPPED_KEY_LEN_RANGE;
	return REAL(FN_UnwrapKey, c->argument[0], (ck_ulong)by, key, c->argument[3], *length, (ck_ulong)template,
		sizeof template / sizeof *template, (ck_ulong)aes);
}

ck_ulong unwrap_twice(struct call *c)
{
	struct {
		ck_ulong bits;
		struct ck_oaep_params *oaep;
	} *p = mechanism_of(c)->parameter;
	struct ck_mechanism by = { CKM_RSA_PKCS_OAEP, p ? p->oaep : NULL, sizeof *p->oaep }, pad = { 0x210a, NULL, 0 };
	ck_ulong length, aes, rv;

	if (!p || refuse_oaep(&by) != CKR_OK)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = unwrap_aes(c, &by, &length, &aes);
	if (rv != CKR_OK)
		return rv;
	c->argument[1] = (ck_ulong)&pad; /* the caller of this restores the arguments */
	c->argument[2] = given_handle(aes);
	c->argument[3] += length;
	c->argument[4] -= length;
	rv = forward(c);
	forget_object(aes);
	REAL(FN_DestroyObject, c->argument[0], aes);
	return rv;
}
