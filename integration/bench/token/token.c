/*
 * Measures the floor of every encryption: AES-256-GCM of 32 bytes under a
 * private key kept on the token, asked of the PKCS#11 library directly, by one
 * thread, with nothing around it.
 *
 * Arguments: library, file with the user PIN, seconds. The first slot with a
 * token is used. Prints: operations, seconds, CPU seconds.
 *
 * A function list (PKCS#11 v2.40, section 3.6) is a version followed by
 * pointers in a fixed order; only the positions of those called are named.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef unsigned long ck_ulong;

enum {
	FN_INITIALIZE = 0,
	FN_FINALIZE = 1,
	FN_GET_SLOT_LIST = 4,
	FN_OPEN_SESSION = 12,
	FN_LOGIN = 18,
	FN_DESTROY_OBJECT = 22,
	FN_ENCRYPT_INIT = 29,
	FN_ENCRYPT = 30,
	FN_GENERATE_KEY = 58,
	FN_GENERATE_RANDOM = 64,
	FN_COUNT = 68
};

enum {
	CKA_TOKEN = 0x1,
	CKA_PRIVATE = 0x2,
	CKA_SENSITIVE = 0x103,
	CKA_ENCRYPT = 0x104,
	CKA_VALUE_LEN = 0x161,
	CKA_EXTRACTABLE = 0x162,
	CKM_AES_KEY_GEN = 0x1080,
	CKM_AES_GCM = 0x1087,
	CKF_RW_SESSION = 0x2,
	CKF_SERIAL_SESSION = 0x4,
	CKU_USER = 1
};

enum { IV_LEN = 12, TAG_LEN = 16, PLAINTEXT_LEN = 32, AAD_LEN = 64 };

struct function_list {
	unsigned char major, minor;
	void *fn[FN_COUNT]; /* POSIX: a function pointer fits */
};

struct mechanism {
	ck_ulong type;
	void *parameter;
	ck_ulong length;
};

struct attribute {
	ck_ulong type;
	void *value;
	ck_ulong length;
};

struct gcm_params {
	unsigned char *iv;
	ck_ulong iv_len, iv_bits;
	unsigned char *aad;
	ck_ulong aad_len, tag_bits;
};

static struct function_list *f;

static void check(const char *what, ck_ulong rv)
{
	if (rv == 0)
		return;
	fprintf(stderr, "%s: 0x%lx\n", what, rv);
	exit(1);
}

static void load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	ck_ulong (*get)(struct function_list **);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	*(void **)&get = dlsym(library, "C_GetFunctionList");
	check("C_GetFunctionList", get ? get(&f) : 0x5);
	check("C_Initialize", ((ck_ulong (*)(void *))f->fn[FN_INITIALIZE])(NULL));
}

static ck_ulong open_session(const char *pin_file)
{
	char pin[256];
	ck_ulong slots[16], count = 16, session;
	FILE *file = fopen(pin_file, "r");

	if (!file || !fgets(pin, sizeof pin, file)) {
		perror(pin_file);
		exit(1);
	}
	fclose(file);
	pin[strcspn(pin, "\n")] = 0;
	check("C_GetSlotList", ((ck_ulong (*)(unsigned char, ck_ulong *, ck_ulong *))f->fn[FN_GET_SLOT_LIST])(1, slots, &count));
	check("C_OpenSession", ((ck_ulong (*)(ck_ulong, ck_ulong, void *, void *, ck_ulong *))f->fn[FN_OPEN_SESSION])(
		slots[0], CKF_RW_SESSION | CKF_SERIAL_SESSION, NULL, NULL, &session));
	check("C_Login", ((ck_ulong (*)(ck_ulong, ck_ulong, char *, ck_ulong))f->fn[FN_LOGIN])(session, CKU_USER, pin, strlen(pin)));
	return session;
}

static ck_ulong generate_key(ck_ulong session)
{
	unsigned char yes = 1, no = 0;
	ck_ulong bytes = 32, key;
	struct mechanism mechanism = {CKM_AES_KEY_GEN, NULL, 0};
	struct attribute template[] = {
		{CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_SENSITIVE, &yes, 1},
		{CKA_EXTRACTABLE, &no, 1}, {CKA_ENCRYPT, &yes, 1}, {CKA_VALUE_LEN, &bytes, sizeof bytes},
	};

	check("C_GenerateKey", ((ck_ulong (*)(ck_ulong, struct mechanism *, struct attribute *, ck_ulong, ck_ulong *))f->fn[FN_GENERATE_KEY])(
		session, &mechanism, template, sizeof template / sizeof *template, &key));
	return key;
}

static void seal(ck_ulong session, ck_ulong key)
{
	unsigned char iv[IV_LEN], aad[AAD_LEN] = {0}, in[PLAINTEXT_LEN] = {0}, out[PLAINTEXT_LEN + TAG_LEN];
	ck_ulong length = sizeof out;
	struct gcm_params params = {iv, IV_LEN, IV_LEN * 8, aad, AAD_LEN, TAG_LEN * 8};
	struct mechanism mechanism = {CKM_AES_GCM, &params, sizeof params};

	check("C_GenerateRandom", ((ck_ulong (*)(ck_ulong, unsigned char *, ck_ulong))f->fn[FN_GENERATE_RANDOM])(session, iv, IV_LEN));
	check("C_EncryptInit", ((ck_ulong (*)(ck_ulong, struct mechanism *, ck_ulong))f->fn[FN_ENCRYPT_INIT])(session, &mechanism, key));
	check("C_Encrypt", ((ck_ulong (*)(ck_ulong, unsigned char *, ck_ulong, unsigned char *, ck_ulong *))f->fn[FN_ENCRYPT])(
		session, in, sizeof in, out, &length));
}

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: %s LIBRARY PIN-FILE SECONDS\n", argv[0]);
		return 2;
	}
	load(argv[1]);

	ck_ulong session = open_session(argv[2]), key = generate_key(session);
	long n = 0;
	double start, end, cpu;

	for (int i = 0; i < 2000; i++) /* warm up */
		seal(session, key);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	start = now(CLOCK_MONOTONIC);
	end = start + atof(argv[3]);
	do {
		for (int i = 0; i < 100; i++)
			seal(session, key);
		n += 100;
	} while (now(CLOCK_MONOTONIC) < end);
	printf("%ld %.6f %.6f\n", n, now(CLOCK_MONOTONIC) - start, now(CLOCK_PROCESS_CPUTIME_ID) - cpu);

	check("C_DestroyObject", ((ck_ulong (*)(ck_ulong, ck_ulong))f->fn[FN_DESTROY_OBJECT])(session, key));
	check("C_Finalize", ((ck_ulong (*)(void *))f->fn[FN_FINALIZE])(NULL));
	return 0;
}
