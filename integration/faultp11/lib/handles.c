/*
 * Object handles: which ones the caller is given, and which objects it can find.
 *
 * With reuse-handles the caller is given small numbers. One that was destroyed goes
 * to the next object, and each start of the library numbers objects in an order of
 * its own, so that a handle kept too long names another object.
 */
#include <stdlib.h>
#include <string.h>

#include "faultp11.h"

enum { SCATTER = 63, PAGE = 256 };

struct object {
	ck_ulong real;
	long seen;    /* when a find met it first; 0: it was always known */
	ck_ulong given;
	int gone;     /* its number is for the next one */
};

static struct object *objects;
static size_t object_count, object_room;
static int renumbering, baseline;
static long start;
static ck_ulong first_found; /* since C_Initialize */

void handles_begin(const struct plan *plan)
{
	lock();
	object_count = 0;
	baseline = 0;
	first_found = 0;
	renumbering = find_directive(plan, REUSE_HANDLES) != NULL;
	start = renumbering ? ordinal() : 0;
	unlock();
}

static struct object *of_real(ck_ulong real)
{
	size_t i;

	for (i = 0; i < object_count; i++)
		if (!objects[i].gone && objects[i].real == real)
			return &objects[i];
	return NULL;
}

/* free_place returns the place of an object that is gone, or a new one. */
static struct object *free_place(void)
{
	size_t i;

	for (i = object_count; i > 0; i--)
		if (objects[i - 1].gone)
			return &objects[i - 1];
	if (object_count == object_room) {
		object_room = 2 * object_room + PAGE;
		objects = realloc(objects, object_room * sizeof *objects);
		if (!objects)
			fail_test("remembering objects", "no memory");
	}
	objects[object_count].given = (object_count ^ ((size_t)start & SCATTER)) + 1;
	return &objects[object_count++];
}

/* known returns what is remembered of an object. */
static struct object *known(ck_ulong real, long seen)
{
	struct object *o = of_real(real);

	if (o)
		return o;
	o = free_place();
	o->real = real;
	o->seen = seen;
	o->gone = 0;
	return o;
}

ck_ulong real_handle(ck_ulong handle)
{
	ck_ulong real = 0;
	size_t i;

	if (!renumbering)
		return handle;
	lock();
	for (i = 0; i < object_count; i++)
		if (!objects[i].gone && objects[i].given == handle)
			real = objects[i].real;
	unlock();
	return real;
}

ck_ulong given_handle(ck_ulong real)
{
	ck_ulong given;

	if (!renumbering)
		return real;
	lock();
	given = known(real, 0)->given;
	unlock();
	return given;
}

void made_here(const struct plan *plan, ck_ulong real)
{
	if (!renumbering && !find_directive(plan, SYNC_LAG))
		return;
	lock();
	known(real, 0)->seen = 0;
	unlock();
}

void forget_object(ck_ulong real)
{
	struct object *o;

	lock();
	o = of_real(real);
	if (o)
		o->gone = 1;
	unlock();
}

ck_ulong destroy_object(struct call *c)
{
	ck_ulong real = real_handle(c->argument[1]), rv = forward(c);

	if (rv == CKR_OK)
		forget_object(real);
	return rv;
}

/* object_at tells of the objects by turns; real is 0 of one that is gone. */
static int object_at(size_t i, ck_ulong *real)
{
	int there;

	lock();
	there = i < object_count;
	*real = there && !objects[i].gone ? objects[i].real : 0;
	unlock();
	return there;
}

/* forget_dead frees the handles of objects that other processes have destroyed. The
 * library behind knows of them once a search has begun. */
static void forget_dead(ck_ulong session)
{
	struct ck_attribute class = { CKA_CLASS, NULL, 0 };
	ck_ulong real;
	size_t i;

	for (i = 0; renumbering && object_at(i, &real); i++)
		if (real && REAL(FN_GetAttributeValue, session, real, (ck_ulong)&class, 1) == CKR_OBJECT_HANDLE_INVALID)
			forget_object(real);
}

/* know_all notes what is there when a process begins to look behind a lag. */
static ck_ulong know_all(ck_ulong session)
{
	ck_ulong found[PAGE], n = 0, i, rv = REAL(FN_FindObjectsInit, session, 0, 0);

	if (rv != CKR_OK)
		return rv;
	while ((rv = REAL(FN_FindObjects, session, (ck_ulong)found, PAGE, (ck_ulong)&n)) == CKR_OK && n > 0) {
		lock();
		for (i = 0; i < n; i++)
			known(found[i], 0);
		unlock();
	}
	return REAL(FN_FindObjectsFinal, session);
}

ck_ulong find_objects_init(struct call *c)
{
	ck_ulong rv;

	if (!baseline && find_directive(c->plan, SYNC_LAG) && !logged_out() && know_all(c->argument[0]) == CKR_OK)
		baseline = 1;
	rv = forward(c);
	if (rv == CKR_OK)
		forget_dead(c->argument[0]);
	return rv;
}

/* hidden tells whether another process made an object so lately that it has not
 * come here. */
static int hidden(ck_ulong real, const struct directive *lag)
{
	struct object *o;
	int hide;

	if (!lag)
		return 0;
	lock();
	o = known(real, now());
	hide = o->seen && now() - o->seen < lag->ms * 1000000;
	unlock();
	if (hide)
		count(lag, STRUCK);
	return hide;
}

/* show removes what is hidden from what was found, and gives the rest its handles. */
static ck_ulong show(const struct plan *plan, ck_ulong *found, ck_ulong n)
{
	const struct directive *lag = baseline ? find_directive(plan, SYNC_LAG) : NULL; /* set after the search began */
	ck_ulong i, kept = 0;

	for (i = 0; i < n; i++)
		if (!hidden(found[i], lag))
			found[kept++] = given_handle(found[i]);
	return kept;
}

/* alias has a find of one object find the one that was found first. */
static void alias(const struct plan *plan, ck_ulong *found, ck_ulong n)
{
	const struct directive *d = find_directive(plan, ALIAS);

	lock();
	if (!first_found && n > 0)
		first_found = found[0];
	if (n == 1 && d) {
		count(d, STRUCK);
		found[0] = first_found;
	}
	unlock();
}

ck_ulong find_objects(struct call *c)
{
	ck_ulong *found = (ck_ulong *)c->argument[1], *n = (ck_ulong *)c->argument[3], rv, any;

	if (logged_out()) {
		*n = 0;
		return CKR_OK;
	}
	do {
		rv = forward(c);
		if (rv != CKR_OK)
			return rv;
		any = *n;
		*n = show(c->plan, found, *n);
	} while (any > 0 && *n == 0);
	alias(c->plan, found, *n);
	return CKR_OK;
}
