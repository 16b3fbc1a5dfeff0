/* The attributes of CloudHSM: which it knows, which values it takes, what it sets. */
#include <string.h>

#include "cloudhsm.h"

enum kind {
	UNKNOWN,
	SETTABLE,
	READ_ONLY,
};

static enum kind kind_of(ck_ulong type)
{
	switch (type) {
	case CKA_CLASS:
	case CKA_TOKEN:
	case CKA_PRIVATE:
	case CKA_LABEL:
	case CKA_VALUE:
	case CKA_KEY_TYPE:
	case CKA_ID:
	case CKA_SENSITIVE:
	case CKA_ENCRYPT:
	case CKA_DECRYPT:
	case CKA_WRAP:
	case CKA_UNWRAP:
	case CKA_SIGN:
	case CKA_VERIFY:
	case CKA_DERIVE:
	case CKA_MODULUS:
	case CKA_MODULUS_BITS:
	case CKA_PUBLIC_EXPONENT:
	case CKA_PRIVATE_EXPONENT:
	case CKA_PRIME_1:
	case CKA_PRIME_2:
	case CKA_EXPONENT_1:
	case CKA_EXPONENT_2:
	case CKA_COEFFICIENT:
	case CKA_VALUE_LEN:
	case CKA_EXTRACTABLE:
	case CKA_MODIFIABLE:
	case CKA_DESTROYABLE:
	case CKA_EC_PARAMS:
	case CKA_EC_POINT:
	case CKA_WRAP_WITH_TRUSTED:
		return SETTABLE;
	case CKA_TRUSTED:
	case CKA_LOCAL:
	case CKA_NEVER_EXTRACTABLE:
	case CKA_ALWAYS_SENSITIVE:
	case CKA_CHECK_VALUE:
		return READ_ONLY;
	default:
		return UNKNOWN;
	}
}

/* A template is an argument and the next one, its length. */
static struct template_at {
	int secret, public, private;
} at_of(int function)
{
	switch (function) {
	case FN_GenerateKey:
		return (struct template_at){ 2, -1, -1 };
	case FN_GenerateKeyPair:
		return (struct template_at){ -1, 2, 4 };
	case FN_DeriveKey:
		return (struct template_at){ 3, -1, -1 };
	case FN_CreateObject:
		return (struct template_at){ 1, -1, -1 };
	case FN_UnwrapKey:
		return (struct template_at){ 5, -1, -1 };
	default:
		return (struct template_at){ -1, -1, -1 };
	}
}

static const struct ck_attribute *look(const struct ck_attribute *t, ck_ulong n, ck_ulong type)
{
	for (; n > 0; t++, n--)
		if (t->type == type)
			return t;
	return NULL;
}

static ck_ulong number(const struct ck_attribute *a)
{
	ck_ulong n = 0;

	if (a && a->value && a->length == sizeof n)
		memcpy(&n, a->value, sizeof n);
	return n;
}

static int is_false(const struct ck_attribute *a)
{
	return a && a->value && a->length == 1 && *(ck_byte *)a->value == 0;
}

/* refuse_values says what is wrong with the values of any template of a new key. */
static ck_ulong refuse_values(const struct ck_attribute *t, ck_ulong n)
{
	const struct ck_attribute *label = look(t, n, CKA_LABEL);
	ck_ulong i;

	for (i = 0; i < n; i++) {
		switch (kind_of(t[i].type)) {
		case UNKNOWN:
			return CKR_TEMPLATE_INCONSISTENT;
		case READ_ONLY:
			return CKR_ATTRIBUTE_READ_ONLY;
		case SETTABLE:
			break;
		}
	}
	if (label && label->length == 0)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return is_false(look(t, n, CKA_PRIVATE)) ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK;
}

static ck_ulong refuse_public(const struct ck_mechanism *m, const struct ck_attribute *t, ck_ulong n)
{
	ck_ulong bits;

	if (m->mechanism == CKM_EC_KEY_PAIR_GEN)
		return look(t, n, CKA_EC_PARAMS) ? CKR_OK : CKR_TEMPLATE_INCOMPLETE;
	if (!look(t, n, CKA_MODULUS_BITS) || !look(t, n, CKA_PUBLIC_EXPONENT))
		return CKR_TEMPLATE_INCOMPLETE;
	bits = number(look(t, n, CKA_MODULUS_BITS));
	return bits < 2048 || bits > 4096 || bits % 256 != 0 ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK;
}

static ck_ulong refuse_private(const struct ck_attribute *t, ck_ulong n)
{
	if (look(t, n, CKA_MODULUS_BITS) || look(t, n, CKA_PUBLIC_EXPONENT))
		return CKR_TEMPLATE_INCONSISTENT;
	return is_false(look(t, n, CKA_SENSITIVE)) ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK;
}

/* refuse_twin tells whether the token has a key of this class and CKA_ID. */
static ck_ulong refuse_twin(ck_ulong session, ck_ulong class, const struct ck_attribute *t, ck_ulong n)
{
	const struct ck_attribute *id = look(t, n, CKA_ID);
	struct ck_attribute twin[2] = { { CKA_CLASS, &class, sizeof class } };
	ck_ulong found, count = 0;

	if (!id || id->length == 0)
		return CKR_OK;
	twin[1] = *id;
	if (REAL(FN_FindObjectsInit, session, (ck_ulong)twin, 2) != CKR_OK)
		return CKR_OK;
	REAL(FN_FindObjects, session, (ck_ulong)&found, 1, (ck_ulong)&count);
	REAL(FN_FindObjectsFinal, session);
	return count > 0 ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK;
}

/* refuse_one checks the template that begins at an argument. */
static ck_ulong refuse_one(const struct call *c, int at, ck_ulong class)
{
	const struct ck_attribute *t = (const struct ck_attribute *)c->argument[at];
	ck_ulong n = c->argument[at + 1], rv = refuse_values(t, n);

	if (rv == CKR_OK && c->function == FN_GenerateKey && !look(t, n, CKA_VALUE_LEN))
		rv = CKR_TEMPLATE_INCOMPLETE;
	if (rv == CKR_OK && c->function == FN_GenerateKeyPair)
		rv = class == CKO_PUBLIC_KEY ? refuse_public(mechanism_of(c), t, n) : refuse_private(t, n);
	if (look(t, n, CKA_CLASS))
		class = number(look(t, n, CKA_CLASS));
	return rv == CKR_OK ? refuse_twin(c->argument[0], class, t, n) : rv;
}

ck_ulong templates_refuse(struct call *c)
{
	struct template_at at = at_of(c->function);
	ck_ulong rv = CKR_OK;

	if (at.secret >= 0)
		rv = refuse_one(c, at.secret, CKO_SECRET_KEY);
	if (rv == CKR_OK && at.public >= 0)
		rv = refuse_one(c, at.public, CKO_PUBLIC_KEY);
	if (rv == CKR_OK && at.private >= 0)
		rv = refuse_one(c, at.private, CKO_PRIVATE_KEY);
	return rv;
}

/* complete copies a template into room and adds the flags that it does not set. */
static void complete(struct call *c, int at, const ck_ulong *on, const ck_ulong *off, struct template *room)
{
	static ck_byte yes = 1, no = 0;
	struct ck_attribute *t = (struct ck_attribute *)c->argument[at];
	ck_ulong n = c->argument[at + 1];

	if (n + 16 > TEMPLATE_SIZE)
		fail_test("a template has too many attributes", function_name(c->function));
	if (n > 0)
		memcpy(room->attributes, t, n * sizeof *t);
	room->count = n;
	for (; *on; on++)
		if (!look(t, n, *on))
			room->attributes[room->count++] = (struct ck_attribute){ *on, &yes, 1 };
	for (; *off; off++)
		if (!look(t, n, *off))
			room->attributes[room->count++] = (struct ck_attribute){ *off, &no, 1 };
	c->argument[at] = (ck_ulong)room->attributes;
	c->argument[at + 1] = room->count;
}

void templates_complete(struct call *c, struct template room[2])
{
	static const ck_ulong secret_on[] = { CKA_EXTRACTABLE, CKA_SENSITIVE, CKA_PRIVATE, CKA_SIGN, CKA_VERIFY, 0 };
	static const ck_ulong secret_off[] = { CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE, 0 };
	static const ck_ulong private_on[] = { CKA_EXTRACTABLE, CKA_SENSITIVE, CKA_PRIVATE, 0 };
	static const ck_ulong private_off[] = { CKA_DECRYPT, CKA_UNWRAP, CKA_SIGN, CKA_DERIVE, 0 };
	static const ck_ulong public_on[] = { CKA_PRIVATE, 0 };
	static const ck_ulong public_off[] = { CKA_ENCRYPT, CKA_WRAP, CKA_VERIFY, 0 };
	struct template_at at = at_of(c->function);
	const struct ck_attribute *t = at.secret < 0 ? NULL : (const struct ck_attribute *)c->argument[at.secret];
	ck_ulong class = t ? number(look(t, c->argument[at.secret + 1], CKA_CLASS)) : CKO_SECRET_KEY;

	if (at.secret >= 0 && (class == CKO_SECRET_KEY || c->function == FN_GenerateKey))
		complete(c, at.secret, secret_on, secret_off, room);
	else if (at.secret >= 0 && class == CKO_PRIVATE_KEY)
		complete(c, at.secret, private_on, private_off, room);
	if (at.public >= 0)
		complete(c, at.public, public_on, public_off, &room[0]);
	if (at.private >= 0)
		complete(c, at.private, private_on, private_off, &room[1]);
}

/* unreadable tells whether an attribute cannot be read of an object. */
static int unreadable(const struct call *c, ck_ulong type)
{
	ck_ulong class = 0;
	struct ck_attribute a = { CKA_CLASS, &class, sizeof class };

	if (type != CKA_ALWAYS_SENSITIVE)
		return kind_of(type) == UNKNOWN;
	REAL(FN_GetAttributeValue, c->argument[0], real_handle(c->argument[1]), (ck_ulong)&a, 1);
	return class == CKO_SECRET_KEY;
}

ck_ulong attribute_values(struct call *c)
{
	struct ck_attribute *asked = (struct ck_attribute *)c->argument[2], known[TEMPLATE_SIZE];
	ck_ulong n = c->argument[3], i, k = 0, rv;

	if (n > TEMPLATE_SIZE)
		fail_test("a template has too many attributes", function_name(c->function));
	for (i = 0; i < n; i++)
		if (!unreadable(c, asked[i].type))
			known[k++] = asked[i];
	c->argument[2] = (ck_ulong)known; /* the caller of this restores the arguments */
	c->argument[3] = k;
	rv = forward(c);
	for (i = k = 0; i < n; i++)
		asked[i].length = unreadable(c, asked[i].type) ? (ck_ulong)-1 : known[k++].length;
	return rv == CKR_OK && k < n ? CKR_ATTRIBUTE_TYPE_INVALID : rv;
}
