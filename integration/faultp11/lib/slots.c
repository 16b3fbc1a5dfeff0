/* Slots: their order and numbers, placeholders among them, and no token in any. */
#include <string.h>

#include "faultp11.h"

enum { PLACEHOLDER = 0x70000000, SLOTS_MAX = 256 };

static int is_placeholder(const struct plan *plan, ck_ulong slot)
{
	const struct directive *d = find_directive(plan, SLOTS);

	return d && slot >= PLACEHOLDER && slot < PLACEHOLDER + (ck_ulong)d->extra;
}

ck_ulong real_slot(const struct plan *plan, ck_ulong slot)
{
	const struct directive *d = find_directive(plan, SLOTS);

	return d ? slot - (ck_ulong)d->shift : slot;
}

static int initialized(ck_ulong slot)
{
	struct ck_token_info info;

	return REAL(FN_GetTokenInfo, slot, (ck_ulong)&info) == CKR_OK && (info.flags & CKF_TOKEN_INITIALIZED);
}

ck_ulong slots_refuse(const struct call *c)
{
	ck_ulong slot = c->argument[0];

	if (argument_at(c->function, 'S') < 0 || c->function == FN_GetSlotInfo)
		return CKR_OK;
	if (is_placeholder(c->plan, slot))
		return CKR_TOKEN_NOT_RECOGNIZED;
	return token_absent(c->plan) && initialized(real_slot(c->plan, slot)) ? CKR_TOKEN_NOT_PRESENT : CKR_OK;
}

/* disguise puts the slots of the library behind as the plan wants them. */
static ck_ulong disguise(const struct plan *plan, const ck_ulong *slots, ck_ulong n, ck_ulong *out)
{
	const struct directive *d = find_directive(plan, SLOTS);
	ck_ulong i, have = 0;

	if (d && d->extra > SLOTS_MAX)
		fail_test("slots", "too many");
	for (i = 0; d && i < (ck_ulong)d->extra; i++)
		out[have++] = PLACEHOLDER + i;
	for (i = 0; i < n; i++)
		out[have++] = slots[d && d->reverse ? n - 1 - i : i] + (d ? (ck_ulong)d->shift : 0);
	return have;
}

ck_ulong slot_list(struct call *c)
{
	ck_ulong slots[SLOTS_MAX], listed[2 * SLOTS_MAX], n = SLOTS_MAX, kept = 0, i, *room = (ck_ulong *)c->argument[2];
	ck_ulong rv = REAL(FN_GetSlotList, c->argument[0], (ck_ulong)slots, (ck_ulong)&n);

	if (rv != CKR_OK)
		return rv;
	for (i = 0; i < n; i++)
		if (!c->argument[0] || !token_absent(c->plan) || !initialized(slots[i]))
			slots[kept++] = slots[i];
	n = disguise(c->plan, slots, kept, listed);
	if (c->argument[1] && *room < n)
		rv = CKR_BUFFER_TOO_SMALL;
	else if (c->argument[1])
		memcpy((void *)c->argument[1], listed, n * sizeof *listed);
	*room = n;
	return rv;
}

ck_ulong slot_info(struct call *c)
{
	struct ck_slot_info *info = (struct ck_slot_info *)c->argument[1];
	ck_ulong rv;

	if (is_placeholder(c->plan, c->argument[0])) {
		memset(info, 0, sizeof *info);
		memset(info->description, ' ', sizeof info->description);
		memset(info->manufacturer, ' ', sizeof info->manufacturer);
		info->flags = CKF_TOKEN_PRESENT;
		return CKR_OK;
	}
	rv = forward(c);
	if (rv == CKR_OK && token_absent(c->plan) && initialized(real_slot(c->plan, c->argument[0])))
		info->flags &= ~(ck_ulong)CKF_TOKEN_PRESENT;
	return rv;
}

ck_ulong token_info(struct call *c)
{
	struct ck_token_info *info = (struct ck_token_info *)c->argument[1];
	ck_ulong rv = forward(c);

	if (rv == CKR_OK && (info->flags & CKF_TOKEN_INITIALIZED))
		info->flags |= pin_flags(c->plan, real_slot(c->plan, c->argument[0]));
	return rv;
}
