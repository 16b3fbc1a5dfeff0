/*
 * A PKCS#11 library that writes down each management command and passes every
 * call on to another library. Tests compare what it has written with the HSM
 * audit log.
 *
 * P11TRACE_LIBRARY names the library to pass calls on to, P11TRACE_LOG the file
 * to append to. A line is: function, return value (decimal), session handle
 * (hexadecimal, 0 when the function has none) and object handle (decimal, 0
 * when there is none).
 *
 * A function list (PKCS#11 v2.40, section 3.6) is a version followed by
 * pointers in a fixed order, so that only the positions of the replaced
 * functions need to be known here.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef unsigned long ck_ulong;

enum {
	FN_INITIALIZE = 0,
	FN_FINALIZE = 1,
	FN_GET_FUNCTION_LIST = 3,
	FN_INIT_TOKEN = 9,
	FN_INIT_PIN = 10,
	FN_LOGIN = 18,
	FN_LOGOUT = 19,
	FN_CREATE_OBJECT = 20,
	FN_DESTROY_OBJECT = 22,
	FN_GENERATE_KEY = 58,
	FN_GENERATE_KEY_PAIR = 59,
	FN_WRAP_KEY = 60,
	FN_UNWRAP_KEY = 61,
	FN_DERIVE_KEY = 62,
	FN_COUNT = 68
};

struct function_list {
	unsigned char major, minor;
	void *fn[FN_COUNT]; /* POSIX: a function pointer fits */
};

#define CKR_GENERAL_ERROR 0x5UL

static struct function_list *real;
static struct function_list traced;

static ck_ulong note(const char *function, ck_ulong rv, ck_ulong session, ck_ulong object)
{
	char line[160];
	int n = snprintf(line, sizeof line, "%s %lu %lx %lu\n", function, rv, session, object);
	int fd = open(getenv("P11TRACE_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0600);

	if (fd < 0 || write(fd, line, (size_t)n) != n)
		abort(); /* a trace with gaps would prove nothing */
	close(fd);
	return rv;
}

static ck_ulong initialize(void *args)
{
	return note("C_Initialize", ((ck_ulong (*)(void *))real->fn[FN_INITIALIZE])(args), 0, 0);
}

static ck_ulong finalize(void *reserved)
{
	return note("C_Finalize", ((ck_ulong (*)(void *))real->fn[FN_FINALIZE])(reserved), 0, 0);
}

static ck_ulong init_token(ck_ulong slot, unsigned char *pin, ck_ulong len, unsigned char *label)
{
	return note("C_InitToken",
		((ck_ulong (*)(ck_ulong, unsigned char *, ck_ulong, unsigned char *))real->fn[FN_INIT_TOKEN])(slot, pin, len, label), 0, 0);
}

static ck_ulong init_pin(ck_ulong session, unsigned char *pin, ck_ulong len)
{
	return note("C_InitPIN",
		((ck_ulong (*)(ck_ulong, unsigned char *, ck_ulong))real->fn[FN_INIT_PIN])(session, pin, len), session, 0);
}

static ck_ulong login(ck_ulong session, ck_ulong user, unsigned char *pin, ck_ulong len)
{
	return note("C_Login",
		((ck_ulong (*)(ck_ulong, ck_ulong, unsigned char *, ck_ulong))real->fn[FN_LOGIN])(session, user, pin, len), session, 0);
}

static ck_ulong logout(ck_ulong session)
{
	return note("C_Logout", ((ck_ulong (*)(ck_ulong))real->fn[FN_LOGOUT])(session), session, 0);
}

static ck_ulong create_object(ck_ulong session, void *attributes, ck_ulong count, ck_ulong *object)
{
	ck_ulong rv = ((ck_ulong (*)(ck_ulong, void *, ck_ulong, ck_ulong *))real->fn[FN_CREATE_OBJECT])(session, attributes, count, object);

	return note("C_CreateObject", rv, session, rv == 0 ? *object : 0);
}

static ck_ulong destroy_object(ck_ulong session, ck_ulong object)
{
	return note("C_DestroyObject",
		((ck_ulong (*)(ck_ulong, ck_ulong))real->fn[FN_DESTROY_OBJECT])(session, object), session, object);
}

static ck_ulong generate_key(ck_ulong session, void *mechanism, void *attributes, ck_ulong count, ck_ulong *key)
{
	ck_ulong rv = ((ck_ulong (*)(ck_ulong, void *, void *, ck_ulong, ck_ulong *))real->fn[FN_GENERATE_KEY])(session, mechanism, attributes, count, key);

	return note("C_GenerateKey", rv, session, rv == 0 ? *key : 0);
}

static ck_ulong generate_key_pair(ck_ulong session, void *mechanism, void *pub, ck_ulong npub, void *priv, ck_ulong npriv, ck_ulong *hpub, ck_ulong *hpriv)
{
	ck_ulong rv = ((ck_ulong (*)(ck_ulong, void *, void *, ck_ulong, void *, ck_ulong, ck_ulong *, ck_ulong *))real->fn[FN_GENERATE_KEY_PAIR])(session, mechanism, pub, npub, priv, npriv, hpub, hpriv);

	return note("C_GenerateKeyPair", rv, session, rv == 0 ? *hpriv : 0);
}

static ck_ulong wrap_key(ck_ulong session, void *mechanism, ck_ulong by, ck_ulong key, unsigned char *out, ck_ulong *len)
{
	ck_ulong rv = ((ck_ulong (*)(ck_ulong, void *, ck_ulong, ck_ulong, unsigned char *, ck_ulong *))real->fn[FN_WRAP_KEY])(session, mechanism, by, key, out, len);

	return out ? note("C_WrapKey", rv, session, key) : rv; /* without room it tells the length only */
}

static ck_ulong unwrap_key(ck_ulong session, void *mechanism, ck_ulong by, unsigned char *wrapped, ck_ulong len, void *attributes, ck_ulong count, ck_ulong *key)
{
	ck_ulong rv = ((ck_ulong (*)(ck_ulong, void *, ck_ulong, unsigned char *, ck_ulong, void *, ck_ulong, ck_ulong *))real->fn[FN_UNWRAP_KEY])(session, mechanism, by, wrapped, len, attributes, count, key);

	return note("C_UnwrapKey", rv, session, rv == 0 ? *key : 0);
}

static ck_ulong derive_key(ck_ulong session, void *mechanism, ck_ulong base, void *attributes, ck_ulong count, ck_ulong *key)
{
	ck_ulong rv = ((ck_ulong (*)(ck_ulong, void *, ck_ulong, void *, ck_ulong, ck_ulong *))real->fn[FN_DERIVE_KEY])(session, mechanism, base, attributes, count, key);

	return note("C_DeriveKey", rv, session, rv == 0 ? *key : 0);
}

ck_ulong C_GetFunctionList(struct function_list **list);

static int load(void)
{
	const char *path = getenv("P11TRACE_LIBRARY");
	void *library = path && getenv("P11TRACE_LOG") ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	ck_ulong (*get)(struct function_list **);

	if (!library)
		return 0;
	*(void **)&get = dlsym(library, "C_GetFunctionList");
	if (!get || get(&real) != 0)
		return 0;
	traced = *real;
	traced.fn[FN_INITIALIZE] = initialize;
	traced.fn[FN_FINALIZE] = finalize;
	traced.fn[FN_GET_FUNCTION_LIST] = C_GetFunctionList;
	traced.fn[FN_INIT_TOKEN] = init_token;
	traced.fn[FN_INIT_PIN] = init_pin;
	traced.fn[FN_LOGIN] = login;
	traced.fn[FN_LOGOUT] = logout;
	traced.fn[FN_CREATE_OBJECT] = create_object;
	traced.fn[FN_DESTROY_OBJECT] = destroy_object;
	traced.fn[FN_GENERATE_KEY] = generate_key;
	traced.fn[FN_GENERATE_KEY_PAIR] = generate_key_pair;
	traced.fn[FN_WRAP_KEY] = wrap_key;
	traced.fn[FN_UNWRAP_KEY] = unwrap_key;
	traced.fn[FN_DERIVE_KEY] = derive_key;
	return 1;
}

ck_ulong C_GetFunctionList(struct function_list **list)
{
	if (!real && !load())
		return CKR_GENERAL_ERROR;
	*list = &traced;
	return 0;
}
