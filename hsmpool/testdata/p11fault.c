/*
 * A PKCS#11 library that passes every call on to another one and lets a test
 * disturb some of them.
 *
 * P11FAULT_LIBRARY names the library to pass calls on to, P11FAULT_DIR a directory.
 * A file there that is named like a function, with the content "RV MILLISECONDS
 * TIMES FAILED SKIP", lets SKIP calls pass (none if it is missing) and has so many calls of that function wait so long before they are
 * passed on, and then return that code instead of the library's; not if RV is 0,
 * and if FAILED is 1 only if the library's is an error. If FAILED is 2 they are not
 * passed on at all. While the file is there each
 * call adds a byte to its companion NAME.hits.
 *
 * While there is a file "length", C_Encrypt and C_Decrypt claim to have written far
 * more than they have.
 *
 * While there is a file "alias", a C_FindObjects that finds one object names the
 * one that was found first instead.
 *
 * A C_Finalize during another call adds a byte to the file "overlap.hits".
 *
 * An IV of zeros that goes into C_EncryptInit is replaced by a random one, as a
 * token does that chooses IVs itself.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

typedef unsigned long ck_ulong;
typedef ck_ulong (*any_function)(ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong);

struct function_list {
	unsigned char major, minor;
	void *fn[68]; /* POSIX: a function pointer fits */
};

struct mechanism {
	ck_ulong type;
	void *parameter;
	ck_ulong length;
};

static struct function_list *real, faulty;
static _Atomic int running;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* hits counts the bytes of a file, after adding one. */
static long hits(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
	long n;

	if (fd < 0 || write(fd, ".", 1) != 1)
		abort();
	n = lseek(fd, 0, SEEK_END);
	close(fd);
	return n;
}

/* order reads what the test wants of a function; false: nothing. */
static int order(const char *name, ck_ulong *rv, long *wait, int *failed)
{
	char path[512], count[520];
	long times = 0, skip = 0, hit;
	FILE *f;
	int wanted;

	snprintf(path, sizeof path, "%s/%s", getenv("P11FAULT_DIR"), name);
	snprintf(count, sizeof count, "%s.hits", path);
	f = fopen(path, "r");
	if (!f)
		return 0;
	wanted = fscanf(f, "%lu %ld %ld %d %ld", rv, wait, &times, failed, &skip) >= 4;
	fclose(f);
	pthread_mutex_lock(&lock);
	hit = wanted ? hits(count) : 0;
	wanted = hit > skip && hit <= skip + times;
	pthread_mutex_unlock(&lock);
	return wanted;
}

static int ordered(const char *name)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", getenv("P11FAULT_DIR"), name);
	return access(path, F_OK) == 0;
}

static void overlap(void)
{
	char path[512];

	snprintf(path, sizeof path, "%s/overlap.hits", getenv("P11FAULT_DIR"));
	hits(path);
}

/* alias replaces the handle that C_FindObjects has found. */
static void alias(ck_ulong *handles, ck_ulong count)
{
	static _Atomic ck_ulong first;

	if (!first && count)
		first = handles[0];
	if (count == 1 && ordered("alias"))
		handles[0] = first;
}

static ck_ulong pass(int at, const char *name, ck_ulong a, ck_ulong b, ck_ulong c, ck_ulong d, ck_ulong e, ck_ulong f, ck_ulong g, ck_ulong h)
{
	ck_ulong rv, wanted = 0;
	long wait = 0;
	int failed = 0, disturbed = order(name, &wanted, &wait, &failed);

	if (at == 1 && running > 0)
		overlap();
	running++;
	if (disturbed)
		usleep((useconds_t)wait * 1000);
	rv = disturbed && failed == 2 ? wanted : ((any_function)real->fn[at])(a, b, c, d, e, f, g, h);
	running--;
	if (at == 27 && rv == 0)
		alias((ck_ulong *)b, *(ck_ulong *)d);
	if ((at == 30 || at == 34) && ordered("length"))
		*(ck_ulong *)e += 1 << 20;
	return disturbed && wanted && (rv || failed != 1) ? wanted : rv;
}

/* FAULTY defines a wrapper; no function has more than eight arguments. */
#define FAULTY(at, name) \
	static ck_ulong at_##at(ck_ulong a, ck_ulong b, ck_ulong c, ck_ulong d, ck_ulong e, ck_ulong f, ck_ulong g, ck_ulong h) \
	{ \
		return pass(at, name, a, b, c, d, e, f, g, h); \
	}

FAULTY(0, "C_Initialize")
FAULTY(1, "C_Finalize")
FAULTY(8, "C_GetMechanismInfo")
FAULTY(13, "C_CloseSession")
FAULTY(18, "C_Login")
FAULTY(20, "C_CreateObject")
FAULTY(21, "C_CopyObject")
FAULTY(22, "C_DestroyObject")
FAULTY(24, "C_GetAttributeValue")
FAULTY(27, "C_FindObjects")
FAULTY(30, "C_Encrypt")
FAULTY(33, "C_DecryptInit")
FAULTY(34, "C_Decrypt")
FAULTY(42, "C_SignInit")
FAULTY(43, "C_Sign")
FAULTY(58, "C_GenerateKey")
FAULTY(59, "C_GenerateKeyPair")
FAULTY(60, "C_WrapKey")
FAULTY(61, "C_UnwrapKey")
FAULTY(62, "C_DeriveKey")

static ck_ulong encrypt_init(ck_ulong session, ck_ulong mechanism, ck_ulong key, ck_ulong d, ck_ulong e, ck_ulong f, ck_ulong g, ck_ulong h)
{
	static const unsigned char zeros[12];
	struct mechanism *m = (struct mechanism *)mechanism;
	unsigned char *iv = m->parameter ? *(unsigned char **)m->parameter : NULL;

	if (iv && memcmp(iv, zeros, sizeof zeros) == 0 && getrandom(iv, sizeof zeros, 0) != sizeof zeros)
		abort();
	return pass(29, "C_EncryptInit", session, mechanism, key, d, e, f, g, h);
}

static int load(void)
{
	void *library = dlopen(getenv("P11FAULT_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
	ck_ulong (*get)(struct function_list **);

	if (!library)
		return 0;
	*(void **)&get = dlsym(library, "C_GetFunctionList");
	if (!get || get(&real) != 0)
		return 0;
	faulty = *real;
	faulty.fn[0] = at_0;
	faulty.fn[1] = at_1;
	faulty.fn[8] = at_8;
	faulty.fn[13] = at_13;
	faulty.fn[18] = at_18;
	faulty.fn[20] = at_20;
	faulty.fn[21] = at_21;
	faulty.fn[22] = at_22;
	faulty.fn[24] = at_24;
	faulty.fn[27] = at_27;
	faulty.fn[29] = encrypt_init;
	faulty.fn[30] = at_30;
	faulty.fn[33] = at_33;
	faulty.fn[34] = at_34;
	faulty.fn[42] = at_42;
	faulty.fn[43] = at_43;
	faulty.fn[58] = at_58;
	faulty.fn[59] = at_59;
	faulty.fn[60] = at_60;
	faulty.fn[61] = at_61;
	faulty.fn[62] = at_62;
	return 1;
}

ck_ulong C_GetFunctionList(struct function_list **list)
{
	if (!real && !load())
		return 5; /* CKR_GENERAL_ERROR */
	*list = &faulty;
	return 0;
}
