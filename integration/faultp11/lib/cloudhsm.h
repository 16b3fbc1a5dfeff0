/* The library of AWS CloudHSM, Client SDK 5, as far as it can be imitated. */
#ifndef CLOUDHSM_H
#define CLOUDHSM_H

#include "faultp11.h"

/* cloudhsm_call carries out a call as CloudHSM would, by what does it otherwise. */
ck_ulong cloudhsm_call(struct call *c, ck_ulong (*otherwise)(struct call *));

/* ---- cloudmechanism.c ---- */

/* mechanism_refuse returns why a call's mechanism is not accepted; 0: it is. */
ck_ulong mechanism_refuse(struct call *c);

/* mechanism_behind returns what a mechanism is called in the library behind, or -1. */
ck_ulong mechanism_behind(ck_ulong mechanism);

/* data_refuse returns whether a call's data is too long for the operation. */
ck_ulong data_refuse(const struct call *c);
int single_part(ck_ulong mechanism);
ck_ulong mechanism_list(struct call *c);
ck_ulong mechanism_info(struct call *c);

/* unwrap_twice is C_UnwrapKey by CKM_RSA_AES_KEY_WRAP, which SoftHSM does not know. */
ck_ulong unwrap_twice(struct call *c);

/* ---- cloudtemplate.c ---- */

enum { TEMPLATE_SIZE = 48 };

struct template {
	struct ck_attribute attributes[TEMPLATE_SIZE];
	ck_ulong count;
};

/* templates_refuse returns why a call's templates are not accepted; 0: they are. */
ck_ulong templates_refuse(struct call *c);

/* templates_complete has a call make its objects with CloudHSM's defaults. */
void templates_complete(struct call *c, struct template room[2]);
ck_ulong attribute_values(struct call *c);

#endif
