/*
 * NSS's software token as a PKCS#11 library that takes C_Initialize without
 * parameters of its own: they are in the environment variable SOFTOKN_PARAMETERS.
 *
 * The token does not keep CKA_LOCAL of the objects that it stores: what is read is
 * CK_FALSE. Here it is CK_TRUE, because Strongroom destroys a new key otherwise.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long ck_ulong;

struct attribute {
	ck_ulong type;
	void *value;
	ck_ulong length;
};

struct init_args {
	void *callbacks[4];
	ck_ulong flags;
	char *parameters;
	void *reserved;
};

struct function_list {
	unsigned char major, minor;
	void *fn[68]; /* POSIX: a function pointer fits */
};

enum { C_INITIALIZE = 0, C_GET_ATTRIBUTE_VALUE = 24 };
enum { CKF_OS_LOCKING_OK = 2, CKR_GENERAL_ERROR = 5, CKA_LOCAL = 0x163 };

static struct function_list *real, adapted;

static ck_ulong initialize(void *ignored)
{
	ck_ulong (*call)(void *) = (ck_ulong (*)(void *))real->fn[C_INITIALIZE];
	struct init_args args = {.flags = CKF_OS_LOCKING_OK, .parameters = getenv("SOFTOKN_PARAMETERS")};

	(void)ignored; /* it says no more than the flag */
	return args.parameters ? call(&args) : CKR_GENERAL_ERROR;
}

static ck_ulong get_attribute_value(ck_ulong session, ck_ulong object, struct attribute *attributes, ck_ulong n)
{
	ck_ulong (*call)(ck_ulong, ck_ulong, struct attribute *, ck_ulong) =
		(ck_ulong (*)(ck_ulong, ck_ulong, struct attribute *, ck_ulong))real->fn[C_GET_ATTRIBUTE_VALUE];
	ck_ulong rv = call(session, object, attributes, n);

	for (ck_ulong i = 0; i < n; i++)
		if (attributes[i].type == CKA_LOCAL && attributes[i].value && attributes[i].length == 1)
			memset(attributes[i].value, 1, 1);
	return rv;
}

ck_ulong C_GetFunctionList(struct function_list **list)
{
	void *library = dlopen("libsoftokn3.so", RTLD_NOW | RTLD_LOCAL);
	ck_ulong (*get)(struct function_list **);
	ck_ulong rv;

	if (!library)
		return CKR_GENERAL_ERROR;
	get = (ck_ulong (*)(struct function_list **))dlsym(library, "C_GetFunctionList");
	rv = get(&real);
	if (rv)
		return rv;
	adapted = *real;
	adapted.fn[C_INITIALIZE] = (void *)initialize;
	adapted.fn[C_GET_ATTRIBUTE_VALUE] = (void *)get_attribute_value;
	*list = &adapted;
	return 0;
}
