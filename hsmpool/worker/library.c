//go:build cgo

#define _DEFAULT_SOURCE
#include "library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

typedef unsigned long ck_ulong;
typedef unsigned char ck_byte;

struct ck_mechanism {
	ck_ulong mechanism;
	void *parameter;
	ck_ulong parameter_length;
};

// CK_GCM_PARAMS
struct ck_gcm_params {
	ck_byte *iv;
	ck_ulong iv_length;
	ck_ulong iv_bits;
	ck_byte *aad;
	ck_ulong aad_length;
	ck_ulong tag_bits;
};

enum {
	CKA_VALUE = 0x11,
	CKM_AES_GCM = 0x1087,
	IV_SIZE = 12,
	TAG_BITS = 128,
};

// CK_FUNCTION_LIST: a version, and then the functions in the standard's order.
enum function_index {
	C_CREATE_OBJECT = 20,
	C_GET_ATTRIBUTE_VALUE = 24,
	C_ENCRYPT_INIT = 29,
	C_ENCRYPT = 30,
	C_DECRYPT_INIT = 33,
	C_DECRYPT = 34,
	C_SIGN_INIT = 42,
	C_SIGN = 43,
	C_GENERATE_RANDOM = 64,
	FUNCTIONS = 68,
};

struct strongroom_library {
	struct {
		ck_byte major, minor;
	} version;
	void (*functions[FUNCTIONS])(void);
};

typedef ck_ulong (*get_function_list)(strongroom_library **);
typedef ck_ulong (*init_function)(ck_ulong session, struct ck_mechanism *, ck_ulong key);
typedef ck_ulong (*data_function)(ck_ulong session, ck_byte *in, ck_ulong in_length, ck_byte *out, ck_ulong *out_length);
typedef ck_ulong (*attribute_function)(ck_ulong session, ck_ulong object, strongroom_attribute *, ck_ulong count);
typedef ck_ulong (*create_function)(ck_ulong session, strongroom_attribute *, ck_ulong count, ck_ulong *object);
typedef ck_ulong (*random_function)(ck_ulong session, ck_byte *out, ck_ulong length);

strongroom_library *strongroom_load(const char *path, const char **why)
{
	strongroom_library *library = NULL;
	void *handle = dlopen(path, RTLD_NOW);
	if (handle == NULL) {
		*why = dlerror();
		return NULL;
	}
	get_function_list get = (get_function_list)dlsym(handle, "C_GetFunctionList");
	if (get == NULL) {
		*why = "it has no C_GetFunctionList: it is not a PKCS#11 library";
		return NULL;
	}
	if (get(&library) != 0 || library == NULL) {
		*why = "C_GetFunctionList failed";
		return NULL;
	}
	return library;
}

static unsigned long long nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

// none is the result before the first call.
static strongroom_result none(unsigned long out_size)
{
	return (strongroom_result){ .length = out_size, .now = nanoseconds() };
}

// called takes a call into a result, and tells whether it has failed. It took the time since
// the call before it.
static int called(strongroom_result *result, enum strongroom_function function, ck_ulong rv)
{
	unsigned long long now = nanoseconds();

	result->calls[result->count++] = (strongroom_call){ function, now - result->now };
	result->now = now;
	result->function = function;
	result->rv = rv;
	return rv != 0;
}

static int draw(strongroom_result *result, strongroom_library *library, ck_ulong session, ck_byte *out, ck_ulong length)
{
	int failed = called(result, STRONGROOM_GENERATE_RANDOM,
		((random_function)library->functions[C_GENERATE_RANDOM])(session, out, length));

	result->octets_out += failed ? 0 : length;
	return failed;
}

// begin calls C_EncryptInit or C_DecryptInit. The parameters must last until the
// operation has ended: the token may write the IV late.
static int begin(strongroom_result *result, strongroom_library *library,
	enum function_index init, enum strongroom_function name,
	ck_ulong session, ck_ulong key, struct ck_gcm_params *params)
{
	struct ck_mechanism mechanism = { CKM_AES_GCM, params, sizeof *params };

	result->octets_in += params->iv_length + params->aad_length;
	return called(result, name, ((init_function)library->functions[init])(session, &mechanism, key));
}

// process calls the function that ends an operation.
static int process(strongroom_result *result, strongroom_library *library,
	enum function_index function, enum strongroom_function name,
	ck_ulong session, ck_byte *in, ck_ulong in_length, ck_byte *out)
{
	ck_ulong room = result->length;
	int failed;

	result->octets_in += in_length;
	failed = called(result, name,
		((data_function)library->functions[function])(session, in, in_length, out, &result->length));
	result->octets_out += failed || result->length > room ? 0 : result->length;
	return failed;
}

strongroom_result strongroom_seal(strongroom_library *library,
	unsigned long session, unsigned long key,
	unsigned char *iv, int iv_random, unsigned long iv_bits,
	unsigned char *plain, unsigned long plain_length, int plain_random,
	unsigned char *aad, unsigned long aad_length,
	unsigned char *out, unsigned long out_size)
{
	struct ck_gcm_params params = { iv, IV_SIZE, iv_bits, aad, aad_length, TAG_BITS };
	strongroom_result result = none(out_size);
	ck_byte nothing = 0;

	if (plain_length == 0)
		plain = &nothing; // libraries refuse NULL even for no bytes
	if (iv_random && draw(&result, library, session, iv, IV_SIZE))
		return result;
	if (plain_random && draw(&result, library, session, plain, plain_length))
		return result;
	if (begin(&result, library, C_ENCRYPT_INIT, STRONGROOM_ENCRYPT_INIT, session, key, &params))
		return result;
	process(&result, library, C_ENCRYPT, STRONGROOM_ENCRYPT, session, plain, plain_length, out);
	return result;
}

strongroom_result strongroom_open(strongroom_library *library,
	unsigned long session, unsigned long key,
	unsigned char *iv, unsigned long iv_bits,
	unsigned char *sealed, unsigned long sealed_length,
	unsigned char *aad, unsigned long aad_length,
	unsigned char *out, unsigned long out_size)
{
	struct ck_gcm_params params = { iv, IV_SIZE, iv_bits, aad, aad_length, TAG_BITS };
	strongroom_result result = none(out_size);

	if (begin(&result, library, C_DECRYPT_INIT, STRONGROOM_DECRYPT_INIT, session, key, &params))
		return result;
	if (process(&result, library, C_DECRYPT, STRONGROOM_DECRYPT, session, sealed, sealed_length, out))
		explicit_bzero(out, out_size);
	return result;
}

// apply calls an init function and the one that it prepares. On failure out is wiped.
static strongroom_result apply(strongroom_library *library,
	enum function_index init, enum strongroom_function init_name,
	enum function_index function, enum strongroom_function name,
	unsigned long session, unsigned long key,
	unsigned long type, void *params, unsigned long params_size,
	unsigned char *in, unsigned long in_length,
	unsigned char *out, unsigned long out_size)
{
	struct ck_mechanism mechanism = { type, params, params_size };
	strongroom_result result = none(out_size);
	ck_byte nothing = 0;

	if (in_length == 0)
		in = &nothing; // libraries refuse NULL even for no bytes
	if (called(&result, init_name, ((init_function)library->functions[init])(session, &mechanism, key)))
		return result;
	if (process(&result, library, function, name, session, in, in_length, out))
		explicit_bzero(out, out_size);
	return result;
}

strongroom_result strongroom_sign(strongroom_library *library,
	unsigned long session, unsigned long key,
	unsigned long mechanism, void *params, unsigned long params_size,
	unsigned char *in, unsigned long in_length,
	unsigned char *out, unsigned long out_size)
{
	return apply(library, C_SIGN_INIT, STRONGROOM_SIGN_INIT, C_SIGN, STRONGROOM_SIGN,
		session, key, mechanism, params, params_size, in, in_length, out, out_size);
}

strongroom_result strongroom_decrypt(strongroom_library *library,
	unsigned long session, unsigned long key,
	unsigned long mechanism, void *params, unsigned long params_size,
	unsigned char *in, unsigned long in_length,
	unsigned char *out, unsigned long out_size)
{
	return apply(library, C_DECRYPT_INIT, STRONGROOM_DECRYPT_INIT, C_DECRYPT, STRONGROOM_DECRYPT,
		session, key, mechanism, params, params_size, in, in_length, out, out_size);
}

strongroom_result strongroom_value(strongroom_library *library,
	unsigned long session, unsigned long object,
	unsigned char *out, unsigned long out_size)
{
	strongroom_attribute attribute = { CKA_VALUE, out, out_size };
	strongroom_result result = none(0);

	if (called(&result, STRONGROOM_GET_ATTRIBUTE_VALUE,
			((attribute_function)library->functions[C_GET_ATTRIBUTE_VALUE])(session, object, &attribute, 1)))
		explicit_bzero(out, out_size);
	else if (attribute.value_length <= out_size)
		result.octets_out = attribute.value_length;
	result.length = attribute.value_length;
	return result;
}

strongroom_result strongroom_create(strongroom_library *library,
	unsigned long session,
	strongroom_attribute *attributes, unsigned long count,
	unsigned long *object)
{
	strongroom_result result = none(0);

	for (unsigned long i = 0; i < count; i++)
		result.octets_in += attributes[i].value_length;
	called(&result, STRONGROOM_CREATE_OBJECT,
		((create_function)library->functions[C_CREATE_OBJECT])(session, attributes, count, object));
	return result;
}
