/* The library of AWS CloudHSM, as far as it can be imitated. */
#ifndef CLOUDHSM_H
#define CLOUDHSM_H

#include "faultp11.h"

/* cloudhsm_call carries out a call as CloudHSM would, by what does it otherwise. */
ck_ulong cloudhsm_call(struct call *c, ck_ulong (*otherwise)(struct call *));

#endif
